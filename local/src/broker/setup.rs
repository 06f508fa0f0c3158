//! What the broker must have before the roles use it: virtual host, exchanges, queues, and one account
//! per role with that role's rights alone. Doing it again changes nothing.

use skybus_bus::{accounts::Management, topology};
use skybus_model::message::Service;

use super::{account, admin_url, management_url, vhost};
use crate::{
    Error,
    cloud::{Cloud, ROLES},
};

/// A client of the management API.
///
/// # Errors
/// When its address cannot be read.
pub fn management(cloud: &Cloud) -> Result<Management, Error> {
    Management::new(&management_url(cloud), &vhost(cloud)).map_err(|e| Error::Broker(in_full(&e)))
}

/// Makes it all.
///
/// # Errors
/// When the broker refuses something, which the text names.
pub async fn set_up(cloud: &Cloud) -> Result<(), Error> {
    let management = management(cloud)?;
    if cloud.options.broker.is_some() {
        // A node of our own has made it at its first start, with its administrator's rights on it.
        management
            .ensure_vhost()
            .await
            .map_err(|e| Error::Broker(in_full(&e)))?;
    }
    topology::declare(&admin_url(cloud), &everything(cloud))
        .await
        .map_err(|e| Error::Broker(in_full(&e)))?;
    for role in ROLES {
        let password = cloud.secrets.accounts.get(role).map_or("", String::as_str);
        management
            .ensure_account(&account(cloud, role), password)
            .await
            .map_err(|e| Error::Broker(in_full(&e)))?;
    }
    Ok(())
}

/// Whether its management answers.
pub async fn answers(cloud: &Cloud) -> Result<(), String> {
    let management = management(cloud).map_err(|e| e.to_string())?;
    management
        .queues()
        .await
        .map(|_| ())
        .map_err(|e| in_full(&e))
}

/// Whether an operator's broker can be used, before the virtual host is there.
///
/// # Errors
/// Why not.
pub async fn reachable(cloud: &Cloud) -> Result<(), String> {
    let management = management(cloud).map_err(|e| e.to_string())?;
    management
        .accounts("")
        .await
        .map(|_| ())
        .map_err(|e| in_full(&e))
}

fn everything(cloud: &Cloud) -> topology::Topology {
    let mut all = topology::control_plane();
    for service in [Service::Compute, Service::Network] {
        all.queues
            .extend(topology::agent(service, &cloud.host, &cloud.hosts()).queues);
    }
    all
}

/// An error with its causes; none of them holds a password.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
