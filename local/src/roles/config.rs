//! The configuration files of the roles. What is left out here has a default in the role itself.

use serde::Serialize;
use std::{
    fs::DirBuilder,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::DirBuilderExt as _,
    path::PathBuf,
};

use super::REGION;
use crate::{
    DataDir, Error, broker,
    cloud::Cloud,
    options::{Physical, VirtType},
    ports::loopback,
    secret,
};

/// What every role is told.
#[derive(Serialize)]
struct Common {
    data_dir: PathBuf,
    health: SocketAddr,
    broker: String,
}

#[derive(Serialize)]
struct Api<'a> {
    #[serde(flatten)]
    common: Common,
    listen: SocketAddr,
    public_url: String,
    database: String,
    management: String,
    host: &'a str,
    first: bool,
    account_key: &'a str,
    url_secret: &'a str,
    metadata_secret: &'a str,
    region: &'static str,
    bootstrap: Bootstrap<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reach: Option<Reach>,
}

#[derive(Serialize)]
struct Reach {
    api: String,
    broker: String,
}

#[derive(Serialize)]
struct Bootstrap<'a> {
    admin_password: &'a str,
    demo_password: &'a str,
    fixed_range: &'a str,
    network_size: u32,
    flat_segment: &'a str,
    floating_range: &'a str,
}

#[derive(Serialize)]
struct Scheduler<'a> {
    #[serde(flatten)]
    common: Common,
    host: &'a str,
    database: String,
    url_secret: &'a str,
}

#[derive(Serialize)]
struct Compute<'a> {
    #[serde(flatten)]
    common: Common,
    host: &'a str,
    zone: &'static str,
    api_url: String,
    virt_type: &'static str,
    fake_hosts: u32,
}

#[derive(Serialize)]
struct Network<'a> {
    #[serde(flatten)]
    common: Common,
    host: &'a str,
    zone: &'static str,
    api_url: String,
    metadata_secret: &'a str,
    driver: &'static str,
    fake_hosts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_interface: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tunnel_address: Option<Ipv4Addr>,
    #[serde(skip_serializing_if = "Physical::is_empty")]
    physical: &'a Physical,
}

pub(crate) const ZONE: &str = "nova";

/// Writes the role's file and makes its own directory.
///
/// # Errors
/// When one of them cannot be written.
pub fn write(data: &DataDir, cloud: &Cloud, role: &str) -> Result<(), Error> {
    keep(data, role, text(data, cloud, role))
}

/// Writes this text as the role's file and makes its own directory.
///
/// # Errors
/// When one of them cannot be written.
pub(crate) fn keep(
    data: &DataDir,
    role: &str,
    text: Result<String, toml::ser::Error>,
) -> Result<(), Error> {
    let directory = data.path().join(role);
    // Guests' disks lie below compute's; only the other ones are closed to other users.
    let mode = if role == "compute" { 0o711 } else { 0o700 };
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(&directory)
        .map_err(Error::file("making", &directory))?;
    let path = data.role_config(role);
    let text = text.map_err(|e| Error::Garbled {
        path: path.clone(),
        why: e.to_string(),
    })?;
    secret::write(&path, &text)
}

/// The database of this cloud.
#[must_use]
pub fn database(data: &DataDir, cloud: &Cloud) -> String {
    cloud
        .options
        .database
        .clone()
        .unwrap_or_else(|| format!("sqlite://{}", data.database().display()))
}

fn text(data: &DataDir, cloud: &Cloud, role: &str) -> Result<String, toml::ser::Error> {
    let (options, secrets) = (&cloud.options, &cloud.secrets);
    let common = Common {
        data_dir: data.path().join(role),
        health: loopback(cloud.ports.health(role)),
        broker: broker::role_url(cloud, role),
    };
    let (host, api_url, fake_hosts) = (cloud.host.as_str(), cloud.url(), options.fake_hosts);
    match role {
        "api" => toml::to_string(&Api {
            common,
            listen: options.listen,
            public_url: cloud.public_url(),
            database: database(data, cloud),
            management: broker::management_url(cloud),
            host,
            first: true,
            account_key: &secrets.account_key,
            url_secret: &secrets.url_secret,
            metadata_secret: &secrets.metadata_secret,
            region: REGION,
            bootstrap: Bootstrap {
                admin_password: &secrets.admin_password,
                demo_password: &secrets.demo_password,
                fixed_range: &options.fixed_range,
                network_size: options.network_size,
                flat_segment: &options.flat_segment,
                floating_range: &options.floating_range,
            },
            reach: broker::public_url(cloud).map(|broker| Reach {
                api: cloud.public_url(),
                broker,
            }),
        }),
        "scheduler" => toml::to_string(&Scheduler {
            common,
            host,
            database: database(data, cloud),
            url_secret: &secrets.url_secret,
        }),
        "compute" => toml::to_string(&Compute {
            common,
            host,
            zone: ZONE,
            api_url,
            virt_type: options.virt_type.as_str(),
            fake_hosts,
        }),
        _ => toml::to_string(&Network {
            common,
            host,
            zone: ZONE,
            api_url,
            metadata_secret: &secrets.metadata_secret,
            driver: if options.virt_type == VirtType::Fake {
                "fake"
            } else {
                "linux"
            },
            fake_hosts,
            public_interface: options.public_interface.as_deref(),
            tunnel_address: options.tunnel_address,
            physical: &options.physical,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cloud::ROLES, options::Options};

    #[test]
    fn the_key_of_machines_accounts_is_for_the_first_api_server_alone() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::at(directory.path()).unwrap();
        let cloud = Cloud::new(Options::default()).unwrap();
        for role in ROLES {
            let text = text(&data, &cloud, role).unwrap();
            let told = text.contains(&cloud.secrets.account_key);
            assert_eq!(told, role == "api", "{role}");
        }
    }

    #[test]
    fn the_network_agent_alone_is_told_of_cables_and_only_if_there_are_any() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::at(directory.path()).unwrap();
        let mut cloud = Cloud::new(Options::default()).unwrap();
        let told = |cloud: &Cloud, role| {
            let text = text(&data, cloud, role).unwrap();
            let words = [
                "public_interface = \"eth0\"",
                "[physical]\ntrunk = \"eth1\"",
                "\"192.0.2.7\"",
            ];
            let told = words.map(|word| text.contains(word));
            assert!(told == [true; 3] || told == [false; 3], "{text}");
            told[0]
        };
        for word in ["public_interface", "physical", "tunnel_address"] {
            let text = text(&data, &cloud, "network").unwrap();
            assert!(!text.contains(word), "{text}");
        }
        cloud.options.public_interface = Some("eth0".to_owned());
        cloud.options.tunnel_address = Some([192, 0, 2, 7].into());
        cloud.options.physical = [("trunk".parse().unwrap(), "eth1".to_owned())].into();
        let knowing: Vec<&str> = ROLES
            .into_iter()
            .filter(|role| told(&cloud, role))
            .collect();
        assert_eq!(knowing, ["network"]);
    }

    #[test]
    fn each_role_is_told_its_own_secrets_and_no_others() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::at(directory.path()).unwrap();
        data.create().unwrap();
        let cloud = Cloud::new(Options::default()).unwrap();
        for role in ROLES {
            write(&data, &cloud, role).unwrap();
            let text = std::fs::read_to_string(data.role_config(role)).unwrap();
            let table: toml::Table = toml::from_str(&text).unwrap();
            assert!(
                table["broker"]
                    .as_str()
                    .unwrap()
                    .contains(&cloud.secrets.accounts[role])
            );
            for (other, password) in &cloud.secrets.accounts {
                assert!(
                    other == role || !text.contains(password),
                    "{role} knows {other}'s"
                );
            }
            let knows_admin = text.contains(&cloud.secrets.broker_password);
            assert_eq!(
                knows_admin,
                role == "api",
                "{role} and the broker's administrator"
            );
        }
    }
}
