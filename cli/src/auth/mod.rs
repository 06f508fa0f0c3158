//! Who asks, and of which cloud: from the `OS_*` variables or a `clouds.yaml`.
//!
//! A cloud that is named (`--os-cloud`, `OS_CLOUD`) comes from a file. Otherwise the variables decide
//! when `OS_AUTH_URL` is set, and otherwise the file, when it leaves no doubt about which cloud is meant.

pub(crate) mod cache;
pub(crate) mod clouds;
pub(crate) mod environment;
pub(crate) mod token;

use clap::Args;

use crate::failure::Failure;

/// What the command line says about the cloud.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Choice {
    /// The cloud of clouds.yaml to use [env: OS_CLOUD]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) os_cloud: Option<String>,
    /// The identity service's address [env: OS_AUTH_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) os_auth_url: Option<String>,
    /// The user [env: OS_USERNAME]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) os_username: Option<String>,
    /// The project [env: OS_PROJECT_NAME]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) os_project_name: Option<String>,
    /// The region [env: OS_REGION_NAME]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) os_region_name: Option<String>,
}

/// How to sign in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A user and a password.
    Password { user: Named, password: String },
    /// A token that is there already.
    Token(String),
}

/// Passwords and tokens are not for logs.
impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Password { user, .. } => f.debug_struct("Password").field("user", user).finish(),
            Self::Token(_) => f.write_str("Token"),
        }
    }
}

/// A user or project: by id, or by name within a domain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Named {
    /// Its id.
    pub(crate) id: Option<String>,
    /// Its name.
    pub(crate) name: Option<String>,
    /// Its domain's id.
    pub(crate) domain_id: Option<String>,
    /// Its domain's name.
    pub(crate) domain_name: Option<String>,
}

impl Named {
    /// Whether it names anything.
    pub(crate) const fn is_given(&self) -> bool {
        self.id.is_some() || self.name.is_some()
    }
}

/// Everything that is needed to sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    /// The identity service.
    pub(crate) auth_url: String,
    /// Who asks.
    pub(crate) proof: Proof,
    /// For which project; none for a token without one.
    pub(crate) project: Named,
    /// In which region; the first of the catalog when none is named.
    pub(crate) region: Option<String>,
}

/// The values as they were found, before it is known whether they are enough.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) auth_url: Option<String>,
    pub(crate) user: Named,
    pub(crate) password: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) project: Named,
    pub(crate) region: Option<String>,
    /// Where they come from, for messages.
    pub(crate) source: String,
}

impl Found {
    fn overridden_by(mut self, choice: &Choice) -> Self {
        let replace = |slot: &mut Named, name: &Option<String>| {
            if name.is_some() {
                slot.id = None;
                slot.name.clone_from(name);
            }
        };
        replace(&mut self.user, &choice.os_username);
        replace(&mut self.project, &choice.os_project_name);
        self.auth_url = choice.os_auth_url.clone().or(self.auth_url);
        self.region = choice.os_region_name.clone().or(self.region);
        self
    }

    fn account(self) -> Result<Account, Failure> {
        let lacking = |what: &str| Failure::NotSignedIn {
            problem: format!("{what} is missing in {}", self.source),
            next: HOW.to_owned(),
        };
        let Some(auth_url) = self.auth_url.clone() else {
            return Err(lacking(
                "the identity service's address (OS_AUTH_URL, auth_url)",
            ));
        };
        let proof = match (self.token.clone(), self.password.clone()) {
            (Some(token), _) => Proof::Token(token),
            (None, _) if !self.user.is_given() => {
                return Err(lacking("the user's name (OS_USERNAME, username)"));
            }
            (None, Some(password)) => Proof::Password {
                user: self.user,
                password,
            },
            (None, None) => return Err(lacking("the password (OS_PASSWORD, password)")),
        };
        Ok(Account {
            auth_url,
            proof,
            project: self.project,
            region: self.region,
        })
    }
}

/// The next step for someone without credentials.
const HOW: &str = "`skybus up` starts a cloud on this machine and writes its clouds.yaml; for another \
                   cloud set OS_CLOUD and a clouds.yaml, or source its openrc (`eval \"$(skybus env)\"`)";

/// The account that the command line, the environment and the files name together.
pub(crate) fn account(choice: &Choice) -> Result<Account, Failure> {
    let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let named = choice.os_cloud.clone().or_else(|| variable("OS_CLOUD"));
    let found = match named {
        Some(name) => clouds::named(&clouds::files(&variable)?, &name)?,
        None if variable("OS_AUTH_URL").is_some() || choice.os_auth_url.is_some() => {
            environment::read(&variable)
        }
        None => clouds::only(&clouds::files(&variable)?)?,
    };
    found.overridden_by(choice).account()
}

/// What is said when there is nothing to sign in with.
pub(crate) fn nothing_set(looked_in: &str) -> Failure {
    Failure::NotSignedIn {
        problem: format!(
            "no cloud to talk to: OS_AUTH_URL and OS_CLOUD are not set, and {looked_in}"
        ),
        next: HOW.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Found {
        Found {
            auth_url: Some("http://c".to_owned()),
            user: Named {
                name: Some("demo".to_owned()),
                ..Named::default()
            },
            password: Some("secret".to_owned()),
            source: "the environment".to_owned(),
            ..Found::default()
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let failure = Found {
            password: None,
            ..found()
        }
        .account()
        .unwrap_err();
        assert!(failure.to_string().contains("OS_PASSWORD"), "{failure}");
        let failure = Found {
            user: Named::default(),
            ..found()
        }
        .account()
        .unwrap_err();
        assert!(failure.to_string().contains("OS_USERNAME"), "{failure}");
        assert_eq!(failure.code(), 3);
    }

    #[test]
    fn the_command_line_wins() {
        let choice = Choice {
            os_project_name: Some("other".to_owned()),
            ..Choice::default()
        };
        let account = found().overridden_by(&choice).account().unwrap();
        assert_eq!(account.project.name.as_deref(), Some("other"));
    }

    #[test]
    fn a_password_is_not_printed() {
        let account = found().account().unwrap();
        assert!(!format!("{account:?}").contains("secret"));
    }
}
