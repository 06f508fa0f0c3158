//! Subscribers: people's own programs that listen to events, with an account that can do nothing else.

use lapin::uri::{AMQPScheme, AMQPUri};
use serde::Serialize;
use skybus_model::HostName;

use super::{Account, Error, Management, password};
use crate::topology::{self, names};

/// What a subscriber needs in order to connect.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Subscriber {
    /// Its name.
    pub name: String,
    /// The broker's address, with the account and its password. It is shown once.
    pub url: String,
    /// The queue to consume.
    pub queue: String,
    /// The exchange that the queue is bound to.
    pub exchange: String,
}

impl std::fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Subscriber({}, queue {})", self.name, self.queue)
    }
}

/// Adds a subscriber, or gives the one that is there a new password and these keys as well. `broker` is
/// any account's address of the broker; only its host, port and virtual host are used.
///
/// # Errors
/// [`Error`].
pub async fn add(
    management: &Management,
    broker: &str,
    name: &HostName,
    keys: &[String],
) -> Result<Subscriber, Error> {
    let secret = password();
    let account = Account::subscriber(name);
    let url = address_of(broker, &account.name, &secret)?;
    management
        .declare(&topology::subscriber(name, keys))
        .await?;
    management.ensure_account(&account, &secret).await?;
    Ok(Subscriber {
        name: name.to_string(),
        url,
        queue: names::subscriber_queue(name),
        exchange: names::EVENTS.to_owned(),
    })
}

/// Removes a subscriber with its queue and what that holds.
///
/// # Errors
/// [`Error`]. One that is not there is no error.
pub async fn remove(management: &Management, name: &HostName) -> Result<(), Error> {
    management
        .remove_account(&Account::subscriber(name).name)
        .await?;
    management.withdraw(&topology::subscriber(name, &[])).await
}

/// The names of all subscribers.
///
/// # Errors
/// [`Error`].
pub async fn list(management: &Management) -> Result<Vec<String>, Error> {
    const BEGINNING: &str = "skybus.subscriber.";
    let names = management.accounts(BEGINNING).await?;
    Ok(names
        .iter()
        .filter_map(|name| name.strip_prefix(BEGINNING))
        .map(str::to_owned)
        .collect())
}

/// The virtual host that a broker's address names.
///
/// # Errors
/// [`Error::Address`] when it is no such address.
pub fn virtual_host(broker: &str) -> Result<String, Error> {
    let address: AMQPUri = broker.parse().map_err(|_| Error::Address)?;
    Ok(address.vhost)
}

/// A broker's address with another account in it.
pub(super) fn address_of(broker: &str, account: &str, secret: &str) -> Result<String, Error> {
    let mut address: AMQPUri = broker.parse().map_err(|_| Error::Address)?;
    account.clone_into(&mut address.authority.userinfo.username);
    secret.clone_into(&mut address.authority.userinfo.password);
    Ok(written(&address))
}

fn written(address: &AMQPUri) -> String {
    let (user, place) = (&address.authority.userinfo, &address.authority);
    let vhost = address.vhost.replace('%', "%25").replace('/', "%2f");
    let scheme = match address.scheme {
        AMQPScheme::AMQPS => "amqps",
        AMQPScheme::AMQP => "amqp",
    };
    format!(
        "{scheme}://{}:{}@{}:{}/{vhost}",
        user.username, user.password, place.host, place.port
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_clients_read_it() {
        for text in [
            "amqp://a:b@127.0.0.1:5673/skybus",
            "amqp://a:b@h:5672/%2f",
            "amqps://a:b@h:5671/v",
        ] {
            assert_eq!(written(&text.parse().unwrap()), text);
        }
    }

    #[test]
    fn the_virtual_host_is_the_addresses_path() {
        for (text, name) in [
            ("amqp://a:b@h:5673/skybus", "skybus"),
            ("amqp://a:b@h:5672/two%2fparts", "two/parts"),
            ("amqp://a:b@h:5672/%2f", "/"),
        ] {
            assert_eq!(virtual_host(text).unwrap(), name);
        }
        assert!(virtual_host("http://h/skybus").is_err());
    }
}
