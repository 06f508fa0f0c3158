//! RabbitMQ's management API, as far as it is needed: virtual host, accounts, queues.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode, Url};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    address::{encoded, plain},
    rights::Account,
};
use crate::{
    headless::Shape,
    topology::{Argument, Topology},
};

const PATIENCE: Duration = Duration::from_secs(15);

/// Why the broker's management did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be read.
    #[error("the management address is not of the form http://USER:PASSWORD@HOST:PORT")]
    Address,
    /// It does not answer; the management plugin may be off.
    #[error("the broker's management does not answer; is the plugin rabbitmq_management on?")]
    Unreachable(#[source] reqwest::Error),
    /// It refused.
    #[error("the broker's management refused {what}: {status} {reason}")]
    Refused {
        /// What was asked.
        what: String,
        /// Its status.
        status: u16,
        /// What it says.
        reason: String,
    },
}

/// A client of the management API, with an administrator's account.
#[derive(Clone)]
pub struct Management {
    client: Client,
    base: String,
    user: String,
    password: String,
    vhost: String,
}

impl std::fmt::Debug for Management {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Management({})", self.base)
    }
}

/// A queue as the broker sees it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct QueueState {
    /// Its name.
    pub name: String,
    /// How many messages it holds, taken or not.
    #[serde(default)]
    pub messages: u64,
    /// How many of them a consumer has taken and not yet acknowledged.
    #[serde(default)]
    pub messages_unacknowledged: u64,
    /// How many consume it.
    #[serde(default)]
    pub consumers: u64,
    /// `quorum` or `classic`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// `running`; nothing while nobody leads it.
    #[serde(default)]
    pub state: Option<String>,
    /// The nodes that keep it, if it is a quorum queue.
    #[serde(default)]
    pub members: Vec<String>,
}

impl Management {
    /// A client for `http://USER:PASSWORD@HOST:PORT` and the virtual host. Does not connect yet.
    ///
    /// # Errors
    /// [`Error::Address`].
    pub fn new(url: &str, vhost: &str) -> Result<Self, Error> {
        let mut url: Url = url.parse().map_err(|_| Error::Address)?;
        let user = plain(url.username());
        let password = plain(url.password().ok_or(Error::Address)?);
        // The password leaves the address, so that no error ever shows it.
        url.set_username("")
            .and_then(|()| url.set_password(None))
            .map_err(|()| Error::Address)?;
        let client = Client::builder()
            .timeout(PATIENCE)
            .no_proxy()
            .build()
            .map_err(Error::Unreachable)?;
        let base = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self {
            client,
            base,
            user,
            password,
            vhost: vhost.to_owned(),
        })
    }

    /// Makes the virtual host, unless it is there.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn ensure_vhost(&self) -> Result<(), Error> {
        self.put(&["vhosts", &self.vhost], json!({})).await
    }

    /// Makes the account, or gives the one that is there this password and exactly these rights.
    ///
    /// # Errors
    /// [`Error`]; doing it again is harmless.
    pub async fn ensure_account(&self, account: &Account, password: &str) -> Result<(), Error> {
        let user = json!({ "password": password, "tags": "" });
        match self.put(&["users", &account.name], user.clone()).await {
            // Somebody made it in the same moment; now that it is there, it takes this password.
            Err(Error::Refused {
                status: 400,
                reason,
                ..
            }) if reason.contains("already_exists") => {
                self.put(&["users", &account.name], user).await?;
            }
            done => done?,
        }
        // Topic rights first: without them the rights that follow would be wider than meant.
        for topic in &account.topics {
            let right = json!({
                "exchange": topic.exchange, "write": topic.write, "read": topic.read,
            });
            self.put(&["topic-permissions", &self.vhost, &account.name], right)
                .await?;
        }
        let rights = json!({
            "configure": account.configure, "write": account.write, "read": account.read,
        });
        self.put(&["permissions", &self.vhost, &account.name], rights)
            .await
    }

    /// Removes an account and ends its connections. One that is not there is no error.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn remove_account(&self, name: &str) -> Result<(), Error> {
        self.delete(&["users", name]).await?;
        self.delete(&["connections", "username", name]).await
    }

    /// Declares queues and exchanges like [`topology::declare`](crate::topology::declare), over HTTP.
    ///
    /// # Errors
    /// [`Error`] names what was refused.
    pub async fn declare(&self, topology: &Topology) -> Result<(), Error> {
        for exchange in &topology.exchanges {
            let path = ["exchanges", &self.vhost, exchange.name];
            if exchange.shared && self.exists(&path).await? {
                continue;
            }
            self.put(&path, json!({ "type": "topic", "durable": true }))
                .await?;
        }
        for queue in &topology.queues {
            let arguments: Map<String, Value> = queue
                .arguments
                .iter()
                .map(|(name, value)| ((*name).to_owned(), argument(value)))
                .collect();
            let body = json!({ "durable": !queue.exclusive, "arguments": arguments });
            self.put(&["queues", &self.vhost, &queue.name], body)
                .await?;
            for binding in &queue.bindings {
                let path = [
                    "bindings",
                    &self.vhost,
                    "e",
                    binding.exchange,
                    "q",
                    &queue.name,
                ];
                let body = json!({ "routing_key": binding.key });
                self.ask(Method::POST, &path, Some(body)).await?;
            }
        }
        Ok(())
    }

    /// Removes the queues of it, with what they hold. One that is not there is no error.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn withdraw(&self, topology: &Topology) -> Result<(), Error> {
        for queue in &topology.queues {
            self.delete(&["queues", &self.vhost, &queue.name]).await?;
        }
        Ok(())
    }

    /// Every queue of the virtual host.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn queues(&self) -> Result<Vec<QueueState>, Error> {
        let answer = self
            .ask(Method::GET, &["queues", &self.vhost], None)
            .await?;
        answer.json().await.map_err(Error::Unreachable)
    }

    /// One queue, if it is there.
    pub(crate) async fn queue(&self, name: &str) -> Result<Option<QueueState>, Error> {
        match self
            .ask(Method::GET, &["queues", &self.vhost, name], None)
            .await
        {
            Ok(answer) => answer.json().await.map(Some).map_err(Error::Unreachable),
            Err(Error::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How a queue is declared and bound.
    pub(crate) async fn shape(&self, queue: &str) -> Result<Shape, Error> {
        let path = ["queues", &self.vhost, queue];
        let answer = self.ask(Method::GET, &path, None).await?;
        let mut shape: Shape = answer.json().await.map_err(Error::Unreachable)?;
        let of_queue = ["queues", &self.vhost, queue, "bindings"];
        let answer = self.ask(Method::GET, &of_queue, None).await?;
        shape.bindings = answer.json().await.map_err(Error::Unreachable)?;
        // Every queue is bound to the default exchange, which has no name, by itself.
        shape.bindings.retain(|bound| !bound.source.is_empty());
        // So that two readings can be compared.
        shape.bindings.sort();
        Ok(shape)
    }

    /// Removes a queue with what it holds. One that is not there is no error.
    pub(crate) async fn remove_queue(&self, queue: &str) -> Result<(), Error> {
        self.delete(&["queues", &self.vhost, queue]).await
    }

    /// Makes a queue as it was, with its bindings. Doing it again is harmless.
    pub(crate) async fn restore_queue(&self, queue: &str, shape: &Shape) -> Result<(), Error> {
        let body = json!({ "durable": shape.durable, "arguments": shape.arguments });
        self.put(&["queues", &self.vhost, queue], body).await?;
        for bound in &shape.bindings {
            let path = ["bindings", &self.vhost, "e", &bound.source, "q", queue];
            let body = json!({ "routing_key": bound.routing_key });
            self.ask(Method::POST, &path, Some(body)).await?;
        }
        Ok(())
    }

    /// The names of all accounts that begin so.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn accounts(&self, beginning: &str) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct User {
            name: String,
        }
        let answer = self.ask(Method::GET, &["users"], None).await?;
        let users: Vec<User> = answer.json().await.map_err(Error::Unreachable)?;
        Ok(users
            .into_iter()
            .map(|u| u.name)
            .filter(|name| name.starts_with(beginning))
            .collect())
    }

    async fn exists(&self, path: &[&str]) -> Result<bool, Error> {
        match self.ask(Method::GET, path, None).await {
            Ok(_) => Ok(true),
            Err(Error::Refused { status: 404, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn put(&self, path: &[&str], body: Value) -> Result<(), Error> {
        self.ask(Method::PUT, path, Some(body)).await.map(|_| ())
    }

    /// Deleting twice is harmless, so a broker that stumbles (a quorum queue that is just electing a
    /// leader, a connection that ends in the same moment) is asked again.
    async fn delete(&self, path: &[&str]) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            match self.ask(Method::DELETE, path, None).await {
                Ok(_) | Err(Error::Refused { status: 404, .. }) => return Ok(()),
                Err(Error::Refused { status: 500.., .. } | Error::Unreachable(_)) if tries < 2 => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(300) * tries).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &[&str],
        body: Option<Value>,
    ) -> Result<reqwest::Response, Error> {
        let path: String = path
            .iter()
            .map(|part| format!("/{}", encoded(part)))
            .collect();
        let mut request = self
            .client
            .request(method.clone(), format!("{}/api{path}", self.base))
            .basic_auth(&self.user, Some(&self.password));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.map_err(Error::Unreachable)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let reason = match status {
            StatusCode::UNAUTHORIZED => "the account is no administrator".to_owned(),
            _ => answer
                .text()
                .await
                .unwrap_or_default()
                .chars()
                .take(300)
                .collect(),
        };
        Err(Error::Refused {
            what: format!("{method} {path}"),
            status: status.as_u16(),
            reason,
        })
    }
}

fn argument(value: &Argument) -> Value {
    match value {
        Argument::Word(word) => json!(word),
        Argument::Number(number) => json!(number),
        Argument::Flag(flag) => json!(flag),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_no_password_and_parts_are_coded() {
        let management = Management::new("http://adm:p%40ss@127.0.0.1:15672", "/").unwrap();
        assert_eq!(management.base, "http://127.0.0.1:15672");
        assert_eq!(management.password, "p@ss");
        assert!(!format!("{management:?}").contains("p@ss"));
        assert!(Management::new("http://127.0.0.1:1", "/").is_err());
    }
}
