//! `clouds.yaml`: the file in which OpenStack's clients keep their clouds.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{Found, Named, nothing_set};
use crate::failure::Failure;

/// Where `skybus up` writes its own, read last.
const LOCAL: &str = "/var/lib/skybus/clouds.yaml";
/// The cloud that is meant when none is named and this one is there.
const USUAL: &str = "skybus";

#[derive(Debug, Default, Deserialize)]
struct File {
    #[serde(default)]
    clouds: BTreeMap<String, Cloud>,
}

#[derive(Debug, Default, Deserialize)]
struct Cloud {
    #[serde(default)]
    auth: Auth,
    region_name: Option<String>,
    auth_type: Option<String>,
}

#[derive(Default, Deserialize)]
struct Auth {
    auth_url: Option<String>,
    username: Option<String>,
    user_id: Option<String>,
    user_domain_id: Option<String>,
    user_domain_name: Option<String>,
    password: Option<String>,
    token: Option<String>,
    #[serde(alias = "tenant_name")]
    project_name: Option<String>,
    #[serde(alias = "tenant_id")]
    project_id: Option<String>,
    project_domain_id: Option<String>,
    project_domain_name: Option<String>,
}

/// Holds a password.
impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth")
            .field("auth_url", &self.auth_url)
            .finish_non_exhaustive()
    }
}

/// The files that were read, in the order in which they count.
#[derive(Debug, Default)]
pub(crate) struct Files {
    read: Vec<(PathBuf, File)>,
    closed: Vec<PathBuf>,
}

impl Files {
    fn cloud(&self, name: &str) -> Option<(&Path, &Cloud)> {
        self.read
            .iter()
            .find_map(|(path, file)| Some((path.as_path(), file.clouds.get(name)?)))
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .read
            .iter()
            .flat_map(|(_, file)| file.clouds.keys().cloned())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    fn looked_in(&self) -> String {
        match self.closed.first() {
            Some(path) => format!("{} may not be read by this user", path.display()),
            None => "no clouds.yaml was found".to_owned(),
        }
    }
}

/// Reads every `clouds.yaml` that there is: `OS_CLIENT_CONFIG_FILE`, the current directory, the user's
/// and the system's configuration, and what `skybus up` wrote.
pub(crate) fn files(variable: &dyn Fn(&str) -> Option<String>) -> Result<Files, Failure> {
    let mut paths = Vec::new();
    if let Some(file) = variable("OS_CLIENT_CONFIG_FILE") {
        paths.push(PathBuf::from(file));
    }
    paths.push(PathBuf::from("clouds.yaml"));
    let configuration = variable("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".config")));
    paths.extend(configuration.map(|dir| dir.join("openstack/clouds.yaml")));
    paths.push(PathBuf::from("/etc/openstack/clouds.yaml"));
    paths.push(PathBuf::from(LOCAL));
    let mut files = Files::default();
    for path in paths {
        match std::fs::read_to_string(&path) {
            Ok(text) => files.read.push((path.clone(), parse(&path, &text)?)),
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => files.closed.push(path),
            Err(_) => {}
        }
    }
    Ok(files)
}

fn parse(path: &Path, text: &str) -> Result<File, Failure> {
    serde_saphyr::from_str(text).map_err(|e| Failure::NotSignedIn {
        // The parser's own rendering quotes the line, and that line may be a password.
        problem: match e.location() {
            Some(at) => format!(
                "{} cannot be read as clouds.yaml: line {}",
                path.display(),
                at.line()
            ),
            None => format!("{} cannot be read as clouds.yaml", path.display()),
        },
        next: "mend the file, or name another with OS_CLIENT_CONFIG_FILE".to_owned(),
    })
}

/// The cloud with this name.
pub(crate) fn named(files: &Files, name: &str) -> Result<Found, Failure> {
    if let Some((path, cloud)) = files.cloud(name) {
        return found(path, name, cloud);
    }
    let names = files.names();
    let next = if names.is_empty() {
        format!(
            "{}; `skybus up` writes one for a cloud on this machine",
            files.looked_in()
        )
    } else {
        format!("these are known: {}", names.join(", "))
    };
    Err(Failure::NotSignedIn {
        problem: format!("no clouds.yaml has a cloud {name:?}"),
        next,
    })
}

/// The cloud that is meant when none was named: the only one, or the one called `skybus`.
pub(crate) fn only(files: &Files) -> Result<Found, Failure> {
    let names = files.names();
    let name = match names.as_slice() {
        [] => return Err(nothing_set(&files.looked_in())),
        [one] => one.as_str(),
        several if several.iter().any(|n| n == USUAL) => USUAL,
        several => {
            return Err(Failure::NotSignedIn {
                problem: "several clouds are known and none was chosen".to_owned(),
                next: format!(
                    "add --os-cloud or set OS_CLOUD to one of: {}",
                    several.join(", ")
                ),
            });
        }
    };
    named(files, name)
}

fn found(path: &Path, name: &str, cloud: &Cloud) -> Result<Found, Failure> {
    let kind = cloud.auth_type.as_deref().unwrap_or("password");
    if !matches!(kind, "password" | "v3password" | "token" | "v3token") {
        return Err(Failure::NotSignedIn {
            problem: format!(
                "cloud {name:?} in {} wants auth_type {kind:?}",
                path.display()
            ),
            next: "password and token are understood here".to_owned(),
        });
    }
    let auth = &cloud.auth;
    Ok(Found {
        auth_url: auth.auth_url.clone(),
        user: Named {
            id: auth.user_id.clone(),
            name: auth.username.clone(),
            domain_id: auth.user_domain_id.clone(),
            domain_name: auth.user_domain_name.clone(),
        },
        password: auth.password.clone(),
        token: auth.token.clone(),
        project: Named {
            id: auth.project_id.clone(),
            name: auth.project_name.clone(),
            domain_id: auth.project_domain_id.clone(),
            domain_name: auth.project_domain_name.clone(),
        },
        region: cloud.region_name.clone(),
        source: format!("cloud {name:?} of {}", path.display()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "
clouds:
  skybus:
    auth: {auth_url: 'http://127.0.0.1:8774/identity/v3', username: admin, password: 'p#: 1', project_name: admin}
    region_name: RegionOne
  other:
    auth: {auth_url: 'http://o', token: t}
";

    fn read(text: &str) -> Files {
        let path = PathBuf::from("clouds.yaml");
        Files {
            read: vec![(path.clone(), parse(&path, text).unwrap())],
            closed: Vec::new(),
        }
    }

    #[test]
    fn a_cloud_is_found_by_name() {
        let found = named(&read(TWO), "other").unwrap();
        assert_eq!(found.token.as_deref(), Some("t"));
        let failure = named(&read(TWO), "third").unwrap_err();
        assert_eq!(failure.lines()[1], "  next: these are known: other, skybus");
    }

    #[test]
    fn without_a_name_skybus_is_meant_and_else_one_must_be_chosen() {
        let found = only(&read(TWO)).unwrap();
        assert_eq!(found.password.as_deref(), Some("p#: 1"));
        assert_eq!(found.region.as_deref(), Some("RegionOne"));
        let failure = only(&read(&TWO.replace("skybus:", "third:"))).unwrap_err();
        assert!(
            failure.lines()[1].contains("other, third"),
            "{:?}",
            failure.lines()
        );
    }

    #[test]
    fn nothing_at_all_names_the_next_step() {
        let failure = only(&Files::default()).unwrap_err();
        assert_eq!(failure.code(), 3);
        assert!(
            failure.lines()[1].contains("skybus up"),
            "{:?}",
            failure.lines()
        );
    }

    #[test]
    fn a_broken_file_does_not_show_its_passwords() {
        let text = "clouds:\n  a:\n    auth: {password: [hunter2, }\n";
        let failure = parse(Path::new("clouds.yaml"), text).unwrap_err();
        let shown = failure.lines().join("\n");
        assert!(
            shown.contains("clouds.yaml") && !shown.contains("hunter2"),
            "{shown}"
        );
    }

    #[test]
    fn other_ways_to_sign_in_are_named() {
        let text = "clouds: {a: {auth_type: v3applicationcredential, auth: {}}}";
        let failure = only(&read(text)).unwrap_err();
        assert!(
            failure.to_string().contains("v3applicationcredential"),
            "{failure}"
        );
    }
}
