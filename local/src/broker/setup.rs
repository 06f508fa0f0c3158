//! What the broker must have before the roles use it: virtual host, exchanges, queues, and one account
//! per role with that role's rights alone; and its removal. Doing it again changes nothing.

use skybus_bus::{
    accounts::{Management, machine, subscriber},
    topology,
};
use skybus_model::{machine::Role, message::Service};

use tokio::net::TcpStream;

use super::{account, admin_url, endpoint, management_url, vhost};
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

/// Takes back what an operator's broker was given: accounts, those of subscribers as well, and queues with
/// what they hold. Doing it again changes nothing.
///
/// # Errors
/// When the broker does not answer or refuses.
pub async fn leave(cloud: &Cloud) -> Result<(), Error> {
    let management = management(cloud)?;
    let subscribers = subscriber::list(&management).await;
    for name in subscribers.map_err(|e| Error::Broker(in_full(&e)))? {
        // Another's account that only looks like one of ours is none of ours.
        let Ok(name) = name.parse() else { continue };
        subscriber::remove(&management, &name)
            .await
            .map_err(|e| Error::Broker(in_full(&e)))?;
    }
    for role in ROLES {
        management
            .remove_account(&account(cloud, role).name)
            .await
            .map_err(|e| Error::Broker(in_full(&e)))?;
    }
    leave_machines(&management).await?;
    management
        .withdraw(&everything(cloud))
        .await
        .map_err(|e| Error::Broker(in_full(&e)))
}

/// Machines that have joined and were not removed have accounts and queues as well.
async fn leave_machines(management: &Management) -> Result<(), Error> {
    for (role, service) in [
        (Role::Compute, Service::Compute),
        (Role::Compute, Service::Network),
        (Role::Scheduler, Service::Scheduler),
        (Role::Api, Service::Api),
    ] {
        let beginning = format!("skybus.{service}.");
        let names = management.accounts(&beginning).await;
        for name in names.map_err(|e| Error::Broker(in_full(&e)))? {
            let machine = name.strip_prefix(&beginning).and_then(|n| n.parse().ok());
            if let Some(machine) = machine {
                machine::dismiss(management, role, &machine)
                    .await
                    .map_err(|e| Error::Broker(in_full(&e)))?;
            }
        }
    }
    Ok(())
}

/// Whether both its management and the broker itself answer. A node that is starting opens the first one
/// seconds before the other.
///
/// # Errors
/// Which of them does not, and why.
pub async fn answers(cloud: &Cloud) -> Result<(), String> {
    let management = management(cloud).map_err(|e| e.to_string())?;
    management.queues().await.map_err(|e| in_full(&e))?;
    let (host, port) = endpoint(cloud);
    TcpStream::connect((host.as_str(), port))
        .await
        .map(drop)
        .map_err(|e| format!("it does not take connections at {host}:{port}: {e}"))
}

/// Whether a scheduler's queue of heartbeats is there.
///
/// # Errors
/// That it is not, or that the broker does not say.
pub async fn hears_heartbeats(cloud: &Cloud) -> Result<(), String> {
    let management = management(cloud).map_err(|e| e.to_string())?;
    let queues = management.queues().await.map_err(|e| in_full(&e))?;
    let beginning = topology::names::beat_queue(Service::Scheduler, "");
    if queues
        .iter()
        .any(|queue| queue.name.starts_with(&beginning))
    {
        Ok(())
    } else {
        Err("it has no queue of heartbeats on the broker".to_owned())
    }
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
