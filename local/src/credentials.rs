//! What clients need to reach the cloud: `clouds.yaml`, `openrc`, and the same as environment variables.

use std::path::PathBuf;

use crate::{DataDir, Error, cloud::Cloud, secret};

/// The user that the variables are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Person {
    /// The operator.
    #[default]
    Admin,
    /// An ordinary user with a project.
    Demo,
}

impl Person {
    const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Demo => "demo",
        }
    }

    fn password(self, cloud: &Cloud) -> &str {
        match self {
            Self::Admin => &cloud.secrets.admin_password,
            Self::Demo => &cloud.secrets.demo_password,
        }
    }
}

/// Writes both files, readable by their owner alone, and says where.
///
/// # Errors
/// When one cannot be written.
pub fn write(data: &DataDir, cloud: &Cloud) -> Result<(PathBuf, PathBuf), Error> {
    let clouds = data.path().join("clouds.yaml");
    let openrc = data.path().join("openrc");
    secret::write(&clouds, &clouds_yaml(cloud))?;
    secret::write(&openrc, &exports(cloud, Person::Admin))?;
    Ok((clouds, openrc))
}

/// `export` lines for `eval "$(skybus env)"`. The values are hexadecimal digits, words and addresses:
/// none needs quoting, they are quoted for the reader's comfort.
#[must_use]
pub fn exports(cloud: &Cloud, person: Person) -> String {
    // A variable that is left over from another cloud could lead there, or be refused beside these.
    let left_over = "unset OS_CLOUD OS_TOKEN OS_PROJECT_ID OS_TENANT_NAME OS_TENANT_ID OS_USER_ID OS_SYSTEM_SCOPE\n";
    let variables = [
        ("OS_AUTH_TYPE", "password"),
        ("OS_AUTH_URL", &cloud.auth_url()),
        ("OS_IDENTITY_API_VERSION", "3"),
        ("OS_USERNAME", person.name()),
        ("OS_PASSWORD", person.password(cloud)),
        ("OS_PROJECT_NAME", person.name()),
        ("OS_USER_DOMAIN_NAME", "Default"),
        ("OS_PROJECT_DOMAIN_NAME", "Default"),
        ("OS_REGION_NAME", crate::roles::REGION),
        ("OS_INTERFACE", "public"),
        ("OS_ENDPOINT_TYPE", "publicURL"),
    ];
    let lines = variables
        .iter()
        .map(|(name, value)| format!("export {name}='{value}'\n"));
    std::iter::once(left_over.to_owned()).chain(lines).collect()
}

fn clouds_yaml(cloud: &Cloud) -> String {
    let entry = |name: &str, person: Person| {
        format!(
            "  {name}:\n    auth:\n      auth_url: \"{}\"\n      username: \"{user}\"\n      \
             password: \"{}\"\n      project_name: \"{user}\"\n      user_domain_name: \"Default\"\n      \
             project_domain_name: \"Default\"\n    region_name: \"{}\"\n    interface: \"public\"\n    \
             identity_api_version: 3\n",
            cloud.auth_url(),
            person.password(cloud),
            crate::roles::REGION,
            user = person.name(),
        )
    };
    format!(
        "clouds:\n{}{}",
        entry("skybus", Person::Admin),
        entry("skybus-demo", Person::Demo)
    )
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt as _, process::Command};

    use super::*;
    use crate::options::Options;

    #[test]
    fn a_shell_takes_the_lines_as_they_are() {
        let cloud = Cloud::new(Options::default()).unwrap();
        let script = format!(
            "OS_TENANT_NAME=old\n{}echo \"$OS_AUTH_URL $OS_USERNAME $OS_PASSWORD ${{OS_TENANT_NAME:-gone}}\"",
            exports(&cloud, Person::Demo)
        );
        let output = Command::new("sh").args(["-euc", &script]).output().unwrap();
        let expected = format!(
            "http://127.0.0.1:8774/identity/v3 demo {} gone\n",
            cloud.secrets.demo_password
        );
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    }

    #[test]
    fn both_files_are_for_their_owner_alone_and_name_both_clouds() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::at(directory.path()).unwrap();
        let cloud = Cloud::new(Options::default()).unwrap();
        let (clouds, openrc) = write(&data, &cloud).unwrap();
        for path in [&clouds, &openrc] {
            assert_eq!(
                std::fs::metadata(path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
        let text = std::fs::read_to_string(clouds).unwrap();
        assert!(
            text.contains("\n  skybus:\n") && text.contains("\n  skybus-demo:\n"),
            "{text}"
        );
        assert!(text.contains(&cloud.secrets.demo_password));
    }
}
