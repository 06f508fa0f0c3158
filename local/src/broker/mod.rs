//! The broker: RabbitMQ of this cloud's own, or one that the operator named.
//!
//! Its own is a private node beside any other on this host: own name, own ports on loopback, own cookie,
//! own `epmd` (the name service that every Erlang node needs; left to itself it would be started as a
//! daemon and stay behind). Both are processes of the supervisor like the roles.

mod files;
mod node;
pub mod setup;

use skybus_bus::accounts::Account;
use skybus_model::message::Service;

pub use node::{NODE, epmd, node, requirements};

use crate::cloud::Cloud;

/// The broker's administrator, when it is our own.
const ADMIN: &str = "skybus-admin";
/// The virtual host, unless the operator's address names one.
const VHOST: &str = "skybus";

/// The address of a broker, in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Address {
    scheme: String,
    user: String,
    password: String,
    host: String,
    port: Option<u16>,
    vhost: String,
}

impl Address {
    /// Reads `amqp://USER:PASSWORD@HOST:PORT/VHOST`; a part that is missing gets RabbitMQ's default.
    fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (authority, vhost) = rest.split_once('/').unwrap_or((rest, ""));
        let (account, place) = authority
            .rsplit_once('@')
            .unwrap_or(("guest:guest", authority));
        let (user, password) = account.split_once(':')?;
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (place, None),
        };
        let fits = matches!(scheme, "amqp" | "amqps") && !host.is_empty();
        fits.then(|| Self {
            scheme: scheme.to_owned(),
            user: user.to_owned(),
            password: password.to_owned(),
            host: host.to_owned(),
            port,
            vhost: if vhost.is_empty() {
                VHOST.to_owned()
            } else {
                vhost.to_owned()
            },
        })
    }

    fn url(&self) -> String {
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        let Self {
            scheme,
            user,
            password,
            host,
            vhost,
            ..
        } = self;
        format!("{scheme}://{user}:{password}@{host}{port}/{vhost}")
    }
}

/// Whether an operator's address can be read at all.
#[must_use]
pub fn is_address(url: &str) -> bool {
    Address::parse(url).is_some()
}

fn address(cloud: &Cloud) -> Address {
    cloud
        .options
        .broker
        .as_deref()
        .and_then(Address::parse)
        .unwrap_or_else(|| Address {
            scheme: "amqp".to_owned(),
            user: ADMIN.to_owned(),
            password: cloud.secrets.broker_password.clone(),
            host: "127.0.0.1".to_owned(),
            port: Some(cloud.ports.amqp),
            vhost: VHOST.to_owned(),
        })
}

/// The virtual host.
#[must_use]
pub fn vhost(cloud: &Cloud) -> String {
    address(cloud).vhost
}

/// Where it takes connections.
fn endpoint(cloud: &Cloud) -> (String, u16) {
    let Address {
        scheme, host, port, ..
    } = address(cloud);
    let usual = if scheme == "amqps" { 5671 } else { 5672 };
    (host, port.unwrap_or(usual))
}

/// The broker's address for its administrator.
#[must_use]
pub fn admin_url(cloud: &Cloud) -> String {
    address(cloud).url()
}

/// The broker's address for other machines, without an account; nothing when they cannot reach it.
#[must_use]
pub fn public_url(cloud: &Cloud) -> Option<String> {
    let public = cloud.options.public_address?;
    let mut address = address(cloud);
    if cloud.options.broker.is_none() {
        address.host = public.to_string();
    }
    let Address {
        scheme,
        host,
        port,
        vhost,
        ..
    } = address;
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{scheme}://{host}{port}/{vhost}"))
}

/// The broker's address for a role, with the role's own account.
#[must_use]
pub fn role_url(cloud: &Cloud, role: &str) -> String {
    let password = cloud
        .secrets
        .accounts
        .get(role)
        .cloned()
        .unwrap_or_default();
    Address {
        user: account(cloud, role).name,
        password,
        ..address(cloud)
    }
    .url()
}

/// The management API's address, with the administrator's account.
#[must_use]
pub fn management_url(cloud: &Cloud) -> String {
    if let Some(url) = &cloud.options.broker_management {
        return url.clone();
    }
    let Address {
        user,
        password,
        host,
        ..
    } = address(cloud);
    let port = if cloud.options.broker.is_some() {
        15672
    } else {
        cloud.ports.management
    };
    format!("http://{user}:{password}@{host}:{port}")
}

/// What a role may do on the broker.
fn account(cloud: &Cloud, role: &str) -> Account {
    match role {
        "api" => Account::api(),
        "scheduler" => Account::scheduler(),
        "compute" => Account::agent(Service::Compute, &cloud.host, &cloud.hosts()),
        _ => Account::agent(Service::Network, &cloud.host, &cloud.hosts()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;

    #[test]
    fn an_address_is_read_with_its_defaults() {
        let address = Address::parse("amqp://a:b@rabbit.example:5673").unwrap();
        assert_eq!(address.url(), "amqp://a:b@rabbit.example:5673/skybus");
        assert_eq!(
            Address::parse("amqps://a:b@r/v").unwrap().url(),
            "amqps://a:b@r/v"
        );
        for bad in ["http://a:b@r", "amqp://", "r:5672", "amqp://a:b@r:port"] {
            assert!(!is_address(bad), "{bad} was taken");
        }
    }

    #[test]
    fn other_machines_are_told_an_address_without_an_account() {
        let mut cloud = Cloud::new(Options::default()).unwrap();
        assert_eq!(public_url(&cloud), None);
        cloud.options.public_address = Some([192, 0, 2, 1].into());
        let port = cloud.ports.amqp;
        assert_eq!(
            public_url(&cloud),
            Some(format!("amqp://192.0.2.1:{port}/skybus"))
        );
        cloud.options.broker = Some("amqp://root:pw@rabbit:1/v".to_owned());
        assert_eq!(public_url(&cloud).as_deref(), Some("amqp://rabbit:1/v"));
    }

    #[test]
    fn a_broker_of_the_operators_is_used_with_accounts_of_our_own() {
        let options = Options {
            broker: Some("amqp://root:pw@r:1/v".to_owned()),
            ..Options::default()
        };
        let cloud = Cloud::new(options).unwrap();
        assert_eq!(management_url(&cloud), "http://root:pw@r:15672");
        let url = role_url(&cloud, "api");
        assert!(
            url.starts_with("amqp://skybus.api:") && url.ends_with("@r:1/v"),
            "{url}"
        );
    }
}
