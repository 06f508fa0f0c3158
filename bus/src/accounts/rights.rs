//! What each kind of account may do: exactly what its role needs.
//!
//! RabbitMQ asks three questions, each answered by a regular expression over names: may it *configure*
//! (declare, delete), *write* (publish to an exchange; bind a queue, seen from the queue), *read*
//! (consume a queue; bind a queue, seen from the exchange). Topic rights add one over routing keys.
//! The default exchange, which reaches any queue by its name, is in none of them.

use skybus_model::{HostName, message::Service};

use crate::topology::names::{
    API_QUEUE, BEATS, CALLS, CANARIES, COMMANDS, DEAD, EVENTS, NOTIFICATIONS, REPLIES,
    SCHEDULER_QUEUE, subscriber_queue,
};

/// Nothing at all.
const NONE: &str = "^$";

/// An account and its rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user's name on the broker.
    pub name: String,
    /// What it may declare and delete.
    pub configure: String,
    /// What it may write to.
    pub write: String,
    /// What it may read from.
    pub read: String,
    /// The routing keys that it may use, by exchange. An exchange that is not listed is not limited, so
    /// every exchange that an account may use at all is listed.
    pub topics: Vec<TopicRight>,
}

/// The routing keys that an account may use on one exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicRight {
    /// The exchange.
    pub exchange: &'static str,
    /// Keys that it may publish with.
    pub write: String,
    /// Keys that it may bind with.
    pub read: String,
}

impl Account {
    /// The API servers' account: commands, calls, all events, dead letters.
    #[must_use]
    pub fn api() -> Self {
        let own = r"skybus\.(reply|beat)\.api\..+";
        Self {
            name: "skybus.api".to_owned(),
            configure: format!("^{own}$"),
            write: format!(r"^(skybus\.(cmd|evt|call|canary)|{NOTIFICATIONS}|{own})$"),
            read: format!(
                r"^({}|{}|skybus\.(reply|beat|canary)|{own})$",
                quoted(API_QUEUE),
                quoted(DEAD)
            ),
            topics: vec![
                topic(COMMANDS, r"^(compute|network|scheduler)\.", NONE),
                // It replays dead letters into the exchange that they came through.
                topic(EVENTS, r"^(compute|network)\.", NONE),
                topic(CALLS, r"^(compute|network)\.", NONE),
                topic(CANARIES, r"^api\.", r"^api\."),
                topic(REPLIES, NONE, r"^\*\.\*\.api\."),
                topic(BEATS, NONE, "^#$"),
                topic(NOTIFICATIONS, r"^notifications\.", NONE),
            ],
        }
    }

    /// The schedulers' account: their shared queue, heartbeats, commands.
    #[must_use]
    pub fn scheduler() -> Self {
        let own = r"skybus\.beat\.scheduler\..+";
        Self {
            name: "skybus.scheduler".to_owned(),
            configure: format!("^{own}$"),
            write: format!(r"^(skybus\.(cmd|canary)|{NOTIFICATIONS}|{own})$"),
            read: format!(
                r"^({}|skybus\.(beat|canary)|{own})$",
                quoted(SCHEDULER_QUEUE)
            ),
            topics: vec![
                topic(COMMANDS, r"^(compute|network|scheduler)\.", NONE),
                topic(CANARIES, r"^scheduler\.", r"^scheduler\."),
                topic(BEATS, NONE, "^#$"),
                topic(NOTIFICATIONS, r"^notifications\.", NONE),
            ],
        }
    }

    /// The same rights under a name of its own, for one more process of the role on another machine: it can be
    /// taken away without the others'.
    #[must_use]
    pub fn on(self, machine: &HostName) -> Self {
        Self {
            name: format!("{}.{machine}", self.name),
            ..self
        }
    }

    /// The account of one agent: it reads its own queues, and speaks for its own hosts. It declares
    /// nothing and binds nothing.
    #[must_use]
    pub fn agent(service: Service, agent: &HostName, hosts: &[HostName]) -> Self {
        let spoken = spoken_for(agent, hosts);
        let own_keys = format!(r"^{service}\.{spoken}\.");
        Self {
            name: format!("skybus.{service}.{agent}"),
            configure: NONE.to_owned(),
            write: r"^skybus\.(evt|beat|reply|canary)$".to_owned(),
            read: format!(r"^skybus\.({service}\.{agent}\.v1|call\.{service}\.{agent}\..+)$"),
            topics: vec![
                topic(EVENTS, &own_keys, NONE),
                topic(BEATS, &own_keys, NONE),
                topic(REPLIES, &own_keys, NONE),
                topic(CANARIES, &format!(r"^{service}\.{agent}$"), NONE),
            ],
        }
    }

    /// The account of a subscriber: it reads its own queue, and nothing else.
    #[must_use]
    pub fn subscriber(name: &HostName) -> Self {
        Self {
            name: format!("skybus.subscriber.{name}"),
            configure: NONE.to_owned(),
            write: NONE.to_owned(),
            read: format!("^{}$", quoted(&subscriber_queue(name))),
            topics: Vec::new(),
        }
    }
}

/// The hosts as a pattern for one word. Fake hosts are called after their agent, so that a thousand of
/// them are one short pattern.
fn spoken_for(agent: &HostName, hosts: &[HostName]) -> String {
    let numbered = |host: &HostName| {
        host.as_str()
            .strip_prefix(agent.as_str())
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    };
    match hosts {
        [] => agent.to_string(),
        [one] => one.to_string(),
        many if many.iter().all(numbered) => format!("{agent}-[0-9]+"),
        many => {
            format!(
                "({})",
                many.iter()
                    .map(HostName::as_str)
                    .collect::<Vec<_>>()
                    .join("|")
            )
        }
    }
}

fn topic(exchange: &'static str, write: &str, read: &str) -> TopicRight {
    TopicRight {
        exchange,
        write: write.to_owned(),
        read: read.to_owned(),
    }
}

fn quoted(name: &str) -> String {
    name.replace('.', r"\.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> HostName {
        name.parse().unwrap()
    }

    #[test]
    fn fake_hosts_are_one_pattern_and_others_are_listed() {
        let agent = host("fake");
        assert_eq!(
            spoken_for(&agent, &[host("fake-1"), host("fake-2")]),
            "fake-[0-9]+"
        );
        assert_eq!(
            spoken_for(&agent, &[host("fake-1"), host("b")]),
            "(fake-1|b)"
        );
        assert_eq!(spoken_for(&agent, std::slice::from_ref(&agent)), "fake");
    }

    #[test]
    fn no_account_reaches_the_default_exchange_or_an_unlimited_topic() {
        let agents = Account::agent(Service::Compute, &host("a"), &[host("a")]);
        let all = [
            Account::api(),
            Account::scheduler(),
            agents,
            Account::subscriber(&host("s")),
        ];
        for account in all {
            assert!(!account.write.contains("amq"), "{}", account.name);
            for exchange in [
                COMMANDS,
                EVENTS,
                BEATS,
                CALLS,
                REPLIES,
                CANARIES,
                DEAD,
                NOTIFICATIONS,
            ] {
                let word = exchange.trim_start_matches("skybus.");
                let may = account.write.contains(&format!("|{word}"))
                    || account.write.contains(&format!("({word}"));
                let limited = account
                    .topics
                    .iter()
                    .any(|topic| topic.exchange == exchange);
                assert!(!may || limited, "{} on {exchange}", account.name);
            }
        }
    }
}
