//! What every cloud begins with: a domain, three roles, two projects, two users, the classic flavors.
//!
//! Done at every start, in one transaction, and changing nothing that is there: a password that was
//! changed since is not set back to the one in the configuration.

use skybus_model::{
    Timestamp,
    id::{ProjectId, RoleId, UserId},
};
use skybus_store::{
    Tx,
    identity::{Domain, Project, Role, User, assignments, domains, projects, roles, users},
};

use crate::{app::App, http::Error};

/// Makes what is missing.
///
/// # Errors
/// 500 when the database fails.
pub async fn ensure(app: &App) -> Result<(), Error> {
    // Hashing takes its time: not while holding the database's one writer.
    let admin_missing = users::by_name(app.store.pool(), domains::DEFAULT, "admin")
        .await?
        .is_none();
    let demo_missing = users::by_name(app.store.pool(), domains::DEFAULT, "demo")
        .await?
        .is_none();
    let config = &app.config.bootstrap;
    let mut hashes = [None, None];
    if admin_missing {
        hashes[0] = Some(app.logins.hash(config.admin_password.clone()).await?);
    }
    if demo_missing {
        hashes[1] = Some(app.logins.hash(config.demo_password.clone()).await?);
    }
    let [admin_hash, demo_hash] = hashes;
    let mut tx = app.store.begin().await?;
    let domain = Domain {
        id: domains::DEFAULT.to_owned(),
        name: "Default".to_owned(),
        description: "The default domain".to_owned(),
        enabled: true,
    };
    domains::ensure(&mut tx, &domain).await?;
    let admin_role = role(&mut tx, "admin", "May everything").await?;
    let member = role(
        &mut tx,
        "member",
        "May make and change things in the project",
    )
    .await?;
    let reader = role(&mut tx, "reader", "May look at things in the project").await?;
    let admin_project = project(&mut tx, "admin", "The operators' own project").await?;
    let demo_project = project(&mut tx, "demo", "A project to try things in").await?;
    if let Some(admin) = user(&mut tx, "admin", admin_project, admin_hash).await? {
        assignments::give(&mut tx, admin_project, admin, admin_role).await?;
        assignments::give(&mut tx, demo_project, admin, admin_role).await?;
    }
    if let Some(demo) = user(&mut tx, "demo", demo_project, demo_hash).await? {
        assignments::give(&mut tx, demo_project, demo, member).await?;
        assignments::give(&mut tx, demo_project, demo, reader).await?;
    }
    skybus_store::compute::flavors::bootstrap(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}

async fn role(tx: &mut Tx, name: &str, description: &str) -> Result<RoleId, Error> {
    if let Some(role) = roles::by_name(tx.conn(), name).await? {
        return Ok(role.id);
    }
    let role = Role {
        id: RoleId::random(),
        name: name.to_owned(),
        description: Some(description.to_owned()),
    };
    roles::insert(tx, &role).await?;
    Ok(role.id)
}

async fn project(tx: &mut Tx, name: &str, description: &str) -> Result<ProjectId, Error> {
    if let Some(project) = projects::by_name(tx.conn(), domains::DEFAULT, name).await? {
        return Ok(project.id);
    }
    let project = Project {
        id: ProjectId::random(),
        domain: domains::DEFAULT.to_owned(),
        name: name.to_owned(),
        description: description.to_owned(),
        enabled: true,
        created_at: Timestamp::now(),
    };
    projects::insert(tx, &project).await?;
    Ok(project.id)
}

/// Makes a user; `None` when there is one of that name already, whose roles are then left alone too.
async fn user(
    tx: &mut Tx,
    name: &str,
    default_project: ProjectId,
    hash: Option<String>,
) -> Result<Option<UserId>, Error> {
    let there = users::by_name(tx.conn(), domains::DEFAULT, name)
        .await?
        .is_some();
    let (Some(hash), false) = (hash, there) else {
        return Ok(None);
    };
    let user = User {
        id: UserId::random(),
        domain: domains::DEFAULT.to_owned(),
        name: name.to_owned(),
        description: None,
        email: None,
        password: Some(hash),
        enabled: true,
        default_project: Some(default_project),
        tokens_after: Timestamp(0),
        created_at: Timestamp::now(),
    };
    users::insert(tx, &user).await?;
    Ok(Some(user.id))
}
