//! The configuration files of the processes of a machine that has joined.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use serde::Serialize;
use skybus_model::join::Grant;

use super::Host;
use crate::{
    DataDir, Error,
    options::{Physical, VirtType},
    ports::loopback,
    roles::config::keep,
    secret,
};

#[derive(Serialize)]
struct Common {
    data_dir: PathBuf,
    health: SocketAddr,
    broker: String,
    host: String,
}

#[derive(Serialize)]
struct Worker<'a> {
    #[serde(flatten)]
    common: Common,
    zone: &'a str,
    api_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    virt_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    driver: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata_secret: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_interface: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tunnel_address: Option<Ipv4Addr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    physical: Option<&'a Physical>,
}

#[derive(Serialize)]
struct Scheduler<'a> {
    #[serde(flatten)]
    common: Common,
    database: &'a str,
    url_secret: &'a str,
}

#[derive(Serialize)]
struct Api<'a> {
    #[serde(flatten)]
    common: Common,
    listen: SocketAddr,
    public_url: &'a str,
    database: &'a str,
    url_secret: &'a str,
    metadata_secret: &'a str,
    region: &'a str,
    bootstrap: Bootstrap,
}

/// The first API server has made both users long ago; these passwords are nobody's.
#[derive(Serialize)]
struct Bootstrap {
    admin_password: String,
    demo_password: String,
}

/// Writes a process's file.
///
/// # Errors
/// When it cannot be written, or the cloud has not said what belongs in it.
pub fn write(data: &DataDir, host: &Host, role: &str) -> Result<(), Error> {
    let grant = host.grant.as_ref().ok_or_else(|| lacking(role))?;
    let common = Common {
        data_dir: match (role, &host.chosen.shared) {
            ("api", Some(shared)) => shared.clone(),
            _ => data.path().join(role),
        },
        health: loopback(host.ports.health(role)),
        broker: grant.broker.get(role).ok_or_else(|| lacking(role))?.clone(),
        host: host.name.to_string(),
    };
    let text = match role {
        "api" => api(common, host, grant)?,
        "scheduler" => toml::to_string(&Scheduler {
            common,
            database: said(grant.database.as_ref(), role)?,
            url_secret: said(grant.url_secret.as_ref(), role)?,
        }),
        _ => worker(common, host, grant, role)?,
    };
    keep(data, role, text)
}

type Text = Result<String, toml::ser::Error>;

fn api(common: Common, host: &Host, grant: &Grant) -> Result<Text, Error> {
    let role = "api";
    Ok(toml::to_string(&Api {
        common,
        listen: host.chosen.listen,
        public_url: said(grant.public_url.as_ref(), role)?,
        database: said(grant.database.as_ref(), role)?,
        url_secret: said(grant.url_secret.as_ref(), role)?,
        metadata_secret: said(grant.metadata_secret.as_ref(), role)?,
        region: said(grant.region.as_ref(), role)?,
        bootstrap: Bootstrap {
            admin_password: secret::random_hex(24),
            demo_password: secret::random_hex(24),
        },
    }))
}

fn worker(common: Common, host: &Host, grant: &Grant, role: &str) -> Result<Text, Error> {
    let computes = role == "compute";
    let kind = host.chosen.virt_type;
    let driver = if kind == VirtType::Fake {
        "fake"
    } else {
        "linux"
    };
    Ok(toml::to_string(&Worker {
        common,
        zone: &host.chosen.zone,
        api_url: &grant.api_url,
        virt_type: computes.then_some(kind.as_str()),
        driver: (!computes).then_some(driver),
        metadata_secret: match computes {
            true => None,
            false => Some(said(grant.metadata_secret.as_ref(), role)?),
        },
        public_interface: match computes {
            true => None,
            false => host.chosen.public_interface.as_deref(),
        },
        tunnel_address: host.chosen.tunnel_address.filter(|_| !computes),
        physical: Some(&host.chosen.physical).filter(|all| !computes && !all.is_empty()),
    }))
}

fn said<'a>(value: Option<&'a String>, role: &str) -> Result<&'a str, Error> {
    value.map(String::as_str).ok_or_else(|| lacking(role))
}

fn lacking(role: &str) -> Error {
    Error::Join(format!(
        "the cloud has not said all that {role} needs; is it of another version?"
    ))
}

#[cfg(test)]
mod tests {
    use skybus_model::{join::Token, machine::Role};

    use super::*;

    #[test]
    fn a_worker_is_told_its_own_account_and_only_the_network_worker_what_is_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::at(directory.path()).unwrap();
        data.create().unwrap();
        let mut host = Host::new(&Token {
            api: "http://192.0.2.1:8774".to_owned(),
            name: "b".parse().unwrap(),
            role: Role::Compute,
            secret: "the-token".to_owned(),
        })
        .unwrap();
        let account = |role: &str| (role.to_owned(), format!("amqp://{role}:of-{role}@h:1/v"));
        host.grant = Some(Grant {
            role: Role::Compute,
            broker: ["compute", "network"].map(account).into(),
            api_url: host.api.clone(),
            metadata_secret: Some("of-guests".to_owned()),
            url_secret: None,
            database: None,
            public_url: None,
            region: None,
        });
        host.chosen.public_interface = Some("eth7".to_owned());
        host.chosen.tunnel_address = Some([192, 0, 2, 7].into());
        host.chosen.physical = [("trunk".parse().unwrap(), "eth8".to_owned())].into();
        host.save(&data).unwrap();
        host = Host::load(&data).unwrap();
        for (role, other) in [("compute", "network"), ("network", "compute")] {
            write(&data, &host, role).unwrap();
            let text = std::fs::read_to_string(data.role_config(role)).unwrap();
            assert!(text.contains(&format!("of-{role}")), "{text}");
            assert!(!text.contains(&format!("of-{other}")), "{text}");
            assert_eq!(text.contains("of-guests"), role == "network", "{text}");
            for word in [
                "eth7",
                "tunnel_address = \"192.0.2.7\"",
                "[physical]\ntrunk = \"eth8\"",
            ] {
                assert_eq!(text.contains(word), role == "network", "{word} in {text}");
            }
            assert!(!text.contains("the-token"), "{text}");
        }
        assert!(write(&data, &host, "scheduler").is_err());
    }
}
