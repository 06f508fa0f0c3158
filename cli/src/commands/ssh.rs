//! Logging in to a server: runs the system's `ssh` with the server's address, through the network's
//! namespace where it is on this machine.

use std::{
    ffi::OsString,
    net::IpAddr,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use clap::Args;
use serde_json::Value;
use uuid::Uuid;

use super::{
    networks::fixed_ips,
    word::{become_program, find},
};
use crate::{
    arguments::Context,
    auth::cache,
    failure::Failure,
    http::url::with_query,
    output::cell::plain,
    resolve::{self, SERVER},
    session::{Service, Session},
};

/// The program that reaches into a network's namespace.
const TUNNEL: &str = "skybus-tunnel";

/// The options.
#[derive(Debug, Args)]
pub(crate) struct Ssh {
    /// Its name or id
    server: String,
    /// The private key
    #[arg(short = 'i', long, value_name = "KEY")]
    identity: Option<PathBuf>,
    /// The user to log in as
    #[arg(
        short = 'l',
        long = "login",
        default_value = "root",
        value_name = "USER"
    )]
    login: String,
    /// The port
    #[arg(short, long, default_value_t = 22)]
    port: u16,
    /// A command to run there instead of a shell
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Where a server can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    network: Uuid,
    address: IpAddr,
}

impl Ssh {
    /// Does it; comes back only when ssh cannot be run.
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let session = context.session()?;
        let server = resolve::object(&session, SERVER, &self.server)?;
        let place = place(&session, &server)?;
        let id = plain(&server, "id");
        let tunnel = find(TUNNEL).filter(|_| Path::new(&namespace(place.network)).exists());
        let mut command = Command::new("ssh");
        command.args(self.options(id, known_hosts(session.cloud()).as_deref()));
        if let Some(tunnel) = tunnel {
            command.arg("-o").arg(self.through(&tunnel, &place));
        }
        command.arg(place.address.to_string()).args(&self.command);
        become_program(&mut command, "ssh (the package openssh-client has it)")
    }

    /// Addresses are used again by other servers, so that host keys are remembered by the server's id.
    fn options(&self, id: &str, known_hosts: Option<&Path>) -> Vec<OsString> {
        let file = known_hosts.map_or_else(|| "/dev/null".into(), |f| f.as_os_str().to_owned());
        let mut known = OsString::from("UserKnownHostsFile=\"");
        known.push(file);
        known.push("\"");
        let mut words: Vec<OsString> = vec!["-o".into(), known];
        for option in [
            "StrictHostKeyChecking=accept-new",
            "ConnectTimeout=10",
            "LogLevel=ERROR",
        ] {
            words.extend(["-o".into(), option.into()]);
        }
        words.extend(["-o".into(), format!("HostKeyAlias=skybus-{id}").into()]);
        words.extend([
            "-p".into(),
            self.port.to_string().into(),
            "-l".into(),
            (&self.login).into(),
        ]);
        if let Some(key) = &self.identity {
            words.extend([
                "-o".into(),
                "IdentitiesOnly=yes".into(),
                "-i".into(),
                key.into(),
            ]);
        }
        words
    }

    fn through(&self, tunnel: &Path, place: &Place) -> OsString {
        let mut option = OsString::from("ProxyCommand=\"");
        option.push(tunnel);
        option.push(format!(
            "\" {} {} {}",
            place.network, place.address, self.port
        ));
        option
    }
}

/// The first fixed address, and the network that it is on.
fn place(session: &Session, server: &Value) -> Result<Place, Failure> {
    let path = with_query("/ports", &[("device_id", Some(plain(server, "id")))]);
    let ports = session.list(Service::Network, &path, "ports", None)?;
    ports
        .iter()
        .find_map(place_of)
        .ok_or_else(|| Failure::Unfulfilled {
            problem: format!(
                "server {:?} has no address (it is in status {})",
                plain(server, "name"),
                plain(server, "status")
            ),
            next: format!(
                "`skybus trace {}` shows how far it has come",
                plain(server, "id")
            ),
        })
}

/// Where a port can be reached. What goes to ssh and into its `ProxyCommand`, which a shell reads, is an
/// address and an id and never another text that a cloud may send.
fn place_of(port: &Value) -> Option<Place> {
    Some(Place {
        network: plain(port, "network_id").parse().ok()?,
        address: fixed_ips(port).split(", ").next()?.parse().ok()?,
    })
}

/// Where the namespace of a network would be: `skybus-` and the first twelve digits of its id.
fn namespace(network: Uuid) -> String {
    let digits: String = network.simple().to_string().chars().take(12).collect();
    format!("/run/netns/skybus-{digits}")
}

/// The file in which this cloud's host keys are remembered; none when there is no place for it.
fn known_hosts(cloud: &str) -> Option<PathBuf> {
    let directory = cache::directory()?;
    std::fs::create_dir_all(&directory).ok()?;
    let name: String = cloud
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    Some(directory.join(format!("known_hosts-{name}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NETWORK: &str = "4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b";

    #[test]
    fn only_an_address_and_an_id_reach_ssh() {
        let of = |network: &str, address: &str| {
            let fixed = json!([{ "ip_address": address }]);
            place_of(&json!({ "network_id": network, "fixed_ips": fixed }))
        };
        assert!(of(NETWORK, "10.1.0.2").is_some());
        for (network, address) in [
            (NETWORK, "-oProxyCommand=id"),
            (NETWORK, "10.1.0.2;id"),
            (NETWORK, ""),
            ("$(id)", "10.1.0.2"),
        ] {
            assert_eq!(of(network, address), None, "{network} {address}");
        }
    }

    #[test]
    fn the_namespace_is_named_as_the_network_agent_names_it() {
        assert_eq!(
            namespace(NETWORK.parse().unwrap()),
            "/run/netns/skybus-4f3c2a5e90d1"
        );
    }

    #[test]
    fn host_keys_are_remembered_by_the_servers_id() {
        let ssh = Ssh {
            server: "vm1".to_owned(),
            identity: Some(PathBuf::from("key 1")),
            login: "root".to_owned(),
            port: 22,
            command: Vec::new(),
        };
        let words = ssh.options("abc", Some(Path::new("/home/a b/known")));
        assert!(words.contains(&OsString::from("HostKeyAlias=skybus-abc")));
        assert!(words.contains(&OsString::from("UserKnownHostsFile=\"/home/a b/known\"")));
        assert!(words.contains(&OsString::from("IdentitiesOnly=yes")));
        let place = Place {
            network: NETWORK.parse().unwrap(),
            address: "10.1.0.2".parse().unwrap(),
        };
        assert_eq!(
            ssh.through(Path::new("/opt/s b/skybus-tunnel"), &place),
            OsString::from(format!(
                "ProxyCommand=\"/opt/s b/skybus-tunnel\" {NETWORK} 10.1.0.2 22"
            ))
        );
    }
}
