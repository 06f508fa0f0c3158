//! Queues that nobody leads any more.
//!
//! A broker that is killed within seconds after a quorum queue was declared can forget the queue's log while
//! it still knows its name (seen with RabbitMQ 3.10.8: presumably because ra keeps its directory of logs in a file that is
//! written some seconds late). After the start such a queue never elects a leader: what is sent to it is
//! never confirmed, whoever consumes it hears nothing, and nothing of that changes by itself. What it held is
//! lost already, so it is removed and declared again; the database knows what was to be sent.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::accounts::{Management, QueueState};

/// How often the queues are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How often in a row a queue must be seen without a leader: after a start, elections take a second, and the
/// management's numbers some more.
const LOOKS: u32 = 3;

impl QueueState {
    /// Whether nobody leads it. A queue of several nodes may only have lost its majority for a while, which
    /// is for its nodes to mend.
    #[must_use]
    pub fn is_headless(&self) -> bool {
        self.kind == "quorum" && self.state.is_none() && self.members.len() == 1
    }
}

/// Looks at the queues until the token is cancelled, and makes those anew that nobody leads.
pub async fn mend(management: &Management, token: CancellationToken) {
    let mut seen = Seen::default();
    loop {
        tokio::select! {
            () = token.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        // A broker that is away is no news here.
        let Ok(queues) = management.queues().await else {
            continue;
        };
        for queue in seen.look(&queues) {
            tracing::warn!(queue, "nobody leads this queue; it is made anew");
            metrics::counter!("skybus_bus_queues_renewed_total").increment(1);
            if let Err(error) = management.renew(&queue).await {
                tracing::error!(queue, %error, "a queue that nobody leads could not be made anew");
            }
        }
    }
}

/// How often in a row each queue was seen without a leader.
#[derive(Debug, Default)]
struct Seen(BTreeMap<String, u32>);

impl Seen {
    /// Takes a look, and gives those that were seen so often enough.
    fn look(&mut self, queues: &[QueueState]) -> Vec<String> {
        let headless: BTreeSet<&str> = queues
            .iter()
            .filter(|queue| queue.is_headless())
            .map(|queue| queue.name.as_str())
            .collect();
        self.0.retain(|name, _| headless.contains(name.as_str()));
        for name in headless {
            *self.0.entry(name.to_owned()).or_default() += 1;
        }
        let due = self.0.iter().filter(|(_, looks)| **looks >= LOOKS);
        let due: Vec<String> = due.map(|(name, _)| name.clone()).collect();
        self.0.retain(|name, _| !due.contains(name));
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(kind: &str, state: Option<&str>, members: usize) -> QueueState {
        QueueState {
            name: "a".to_owned(),
            messages: 0,
            messages_unacknowledged: 0,
            consumers: 0,
            kind: kind.to_owned(),
            state: state.map(str::to_owned),
            members: vec!["node".to_owned(); members],
        }
    }

    #[test]
    fn only_a_queue_that_stays_without_a_leader_is_made_anew() {
        let headless = [queue("quorum", None, 1)];
        let mut seen = Seen::default();
        assert!(seen.look(&headless).is_empty());
        assert!(seen.look(&headless).is_empty());
        assert!(seen.look(&[queue("quorum", Some("running"), 1)]).is_empty());
        assert!(seen.look(&headless).is_empty());
        assert!(seen.look(&headless).is_empty());
        assert_eq!(seen.look(&headless), ["a"]);
        assert!(seen.look(&headless).is_empty());
        for other in [queue("quorum", None, 3), queue("classic", None, 0)] {
            let mut seen = Seen::default();
            for _ in 0..9 {
                assert!(seen.look(std::slice::from_ref(&other)).is_empty());
            }
        }
    }
}
