//! Users, projects and roles (administrators).

use std::io::{self, Read};

use clap::Subcommand;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::fields;
use crate::{
    arguments::Context,
    failure::Failure,
    output::{cell::word, table::Column, talk},
    resolve::{self, PROJECT, ROLE, USER},
    session::Service,
};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a user; the password is read from a file, or made up and shown once
    UserCreate {
        /// What it is to be called
        name: String,
        /// A file with the password; `-` reads it from standard input
        #[arg(long, alias = "password_file", value_name = "FILE")]
        password_file: Option<String>,
        /// The user's usual project
        #[arg(long, alias = "tenant")]
        project: Option<String>,
        /// The user's address
        #[arg(long)]
        email: Option<String>,
    },
    /// List the users
    UserList,
    /// Make a project
    ProjectCreate {
        /// What it is to be called
        name: String,
        /// What it is for
        #[arg(long, default_value = "")]
        description: String,
    },
    /// List the projects
    ProjectList,
    /// List the roles
    RoleList,
    /// Give a user a role in a project
    RoleAdd {
        /// The user's name or id
        #[arg(long)]
        user: String,
        /// The project's name or id
        #[arg(long, alias = "tenant")]
        project: String,
        /// The role's name or id
        role: String,
    },
}

const NAMED: [Column; 3] = [
    Column::new("ID", |x| word(x, "id")),
    Column::new("Name", |x| word(x, "name")),
    Column::new("Enabled", |x| word(x, "enabled")),
];

impl Command {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let (list, key) = match &self {
            Self::UserList => ("/users", "users"),
            Self::ProjectList => ("/projects", "projects"),
            Self::RoleList => ("/roles", "roles"),
            _ => return self.change(context),
        };
        let columns = if key == "roles" { &NAMED[..2] } else { &NAMED };
        let all = context
            .session()?
            .list(Service::Identity, list, key, None)?;
        context.output.list(columns, &all)
    }

    fn change(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::UserCreate {
                name,
                password_file,
                project,
                email,
            } => create_user(
                context,
                &name,
                password_file.as_deref(),
                project.as_deref(),
                email,
            ),
            Self::ProjectCreate { name, description } => {
                let body = json!({"project": {"name": name, "description": description}});
                let answer = context
                    .session()?
                    .post(Service::Identity, "/projects", &body)?;
                context
                    .output
                    .show(&fields(&answer["project"]), &answer["project"])
            }
            Self::RoleAdd {
                user,
                project,
                role,
            } => {
                let session = context.session()?;
                let user = resolve::id(&session, USER, &user)?;
                let project = resolve::id(&session, PROJECT, &project)?;
                let role = resolve::id(&session, ROLE, &role)?;
                let path = format!(
                    "{}{}{}",
                    PROJECT.path_of(&project),
                    USER.path_of(&user),
                    ROLE.path_of(&role)
                );
                session
                    .put(Service::Identity, &path, &Value::Null)
                    .map(drop)
            }
            Self::UserList | Self::ProjectList | Self::RoleList => Ok(()),
        }
    }
}

fn create_user(
    context: &Context,
    name: &str,
    password_file: Option<&str>,
    project: Option<&str>,
    email: Option<String>,
) -> Result<(), Failure> {
    let given = password_file.map(read_password).transpose()?;
    let session = context.session()?;
    // 122 random bits from the system.
    let password = given
        .clone()
        .unwrap_or_else(|| Uuid::new_v4().simple().to_string());
    let mut user = Map::new();
    user.insert("name".to_owned(), json!(name));
    user.insert("password".to_owned(), json!(password));
    if let Some(project) = project {
        let id = resolve::id(&session, PROJECT, project)?;
        user.insert("default_project_id".to_owned(), json!(id));
    }
    if let Some(email) = email {
        user.insert("email".to_owned(), json!(email));
    }
    let answer = session.post(Service::Identity, "/users", &json!({ "user": user }))?;
    let mut shown = answer["user"].clone();
    if given.is_none() {
        shown["password"] = json!(password);
        talk::say("the password was made up and is shown this once");
    }
    context.output.show(&fields(&shown), &shown)
}

fn read_password(file: &str) -> Result<String, Failure> {
    let cannot = format!("cannot read the password from {file}");
    let mut text = String::new();
    let read = match file {
        "-" => io::stdin().read_to_string(&mut text).map(drop),
        _ => std::fs::read_to_string(file).map(|t| text = t),
    };
    read.map_err(Failure::local(cannot))?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Failure::usage(
            "the password is empty",
            "put it into the file, on one line",
        ));
    }
    Ok(password.to_owned())
}
