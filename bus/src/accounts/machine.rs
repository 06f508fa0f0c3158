//! What a machine that joins is given on the broker, and what is taken from it when it is removed: one
//! account for each of its processes, with exactly that process's rights, and its queues.

use std::collections::BTreeMap;

use skybus_model::{HostName, machine::Role, message::Service};

use super::{Account, Error, Management, subscriber};
use crate::topology::{self, Topology};

/// The account of one process of a machine.
#[must_use]
pub fn account(service: Service, machine: &HostName) -> Account {
    match service {
        Service::Api => Account::api().on(machine),
        Service::Scheduler => Account::scheduler().on(machine),
        Service::Compute | Service::Network => {
            Account::agent(service, machine, std::slice::from_ref(machine))
        }
    }
}

/// Makes queues and accounts for a machine. The answer is the broker's address for each process; `broker` is
/// its address with or without an account, `password` gives each account's.
///
/// # Errors
/// [`Error`]. Doing it again with the same passwords changes nothing.
pub async fn admit(
    management: &Management,
    broker: &str,
    (role, machine): (Role, &HostName),
    password: impl Fn(&str) -> String,
) -> Result<BTreeMap<String, String>, Error> {
    management.declare(&queues(role, machine)).await?;
    let mut addresses = BTreeMap::new();
    for service in role.services() {
        let account = account(*service, machine);
        let secret = password(&account.name);
        management.ensure_account(&account, &secret).await?;
        let address = subscriber::address_of(broker, &account.name, &secret)?;
        addresses.insert(service.to_string(), address);
    }
    Ok(addresses)
}

/// Takes the accounts of a machine away, with their connections, and its queues with what they hold.
///
/// # Errors
/// [`Error`]. What is not there is no error.
pub async fn dismiss(management: &Management, role: Role, machine: &HostName) -> Result<(), Error> {
    for service in role.services() {
        management
            .remove_account(&account(*service, machine).name)
            .await?;
    }
    management.withdraw(&queues(role, machine)).await
}

/// The names of the queues that it is given.
#[must_use]
pub fn queue_names(role: Role, machine: &HostName) -> Vec<String> {
    let own = queues(role, machine).queues;
    own.into_iter().map(|queue| queue.name).collect()
}

/// Those of agents; schedulers and API servers share theirs, or declare them themselves.
fn queues(role: Role, machine: &HostName) -> Topology {
    let agents = role
        .services()
        .iter()
        .filter(|service| matches!(service, Service::Compute | Service::Network));
    let mut all = Topology::default();
    for service in agents {
        let own = topology::agent(*service, machine, std::slice::from_ref(machine));
        all.queues.extend(own.queues);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_has_an_account_that_names_its_machine() {
        let machine: HostName = "b".parse().unwrap();
        for role in [Role::Compute, Role::Scheduler, Role::Api] {
            for service in role.services() {
                let name = account(*service, &machine).name;
                assert_eq!(name, format!("skybus.{service}.b"));
            }
            let agents = role == Role::Compute;
            assert_eq!(!queues(role, &machine).queues.is_empty(), agents, "{role}");
        }
        assert_eq!(
            Account::scheduler().on(&machine).topics,
            Account::scheduler().topics
        );
    }
}
