//! Whether the broker takes what is published on one connection.
//!
//! A broker under an alarm of its own (memory or disk) keeps its connections and stops reading from those
//! that publish. It tells such a connection only once that publishes, and it lets in new ones. So a
//! connection counts as open only after something was confirmed on it, or after the broker said that the
//! alarm is over; and whoever measures absence sees to it that something is published now and then
//! (`probe.rs`).

use std::{sync::Arc, time::Instant};

use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is known yet.
    Unproven,
    /// Messages arrive, since then.
    Open(Instant),
    /// The broker said that it takes none.
    Blocked,
}

/// What is known of a connection. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Flow(Arc<watch::Sender<State>>);

impl Flow {
    /// A new connection.
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State::Unproven)))
    }

    /// The broker answered for a message. That says nothing against an alarm that it told of since.
    pub(crate) fn confirmed(&self, now: Instant) {
        self.change(|state| match state {
            State::Unproven => State::Open(now),
            known => known,
        });
    }

    /// The broker takes no more messages.
    pub(crate) fn block(&self) {
        self.change(|_| State::Blocked);
    }

    /// The broker takes messages again.
    pub(crate) fn unblock(&self, now: Instant) {
        self.change(|state| match state {
            State::Open(since) => State::Open(since),
            State::Unproven | State::Blocked => State::Open(now),
        });
    }

    /// Whether the broker said that it takes none.
    pub(crate) fn is_blocked(&self) -> bool {
        *self.0.borrow() == State::Blocked
    }

    /// Since when it is known that messages arrive; nothing while that is not known.
    pub(crate) fn open_since(&self) -> Option<Instant> {
        match *self.0.borrow() {
            State::Open(since) => Some(since),
            State::Unproven | State::Blocked => None,
        }
    }

    /// Returns once the broker takes no more messages.
    pub(crate) async fn until_blocked(&self) {
        self.until(|state| state == State::Blocked).await;
    }

    /// Returns once it is known that messages arrive.
    pub(crate) async fn until_open(&self) {
        self.until(|state| matches!(state, State::Open(_))).await;
    }

    async fn until(&self, wanted: impl Fn(State) -> bool) {
        let mut state = self.0.subscribe();
        // It cannot end before `self` does.
        let _ended = state.wait_for(|state| wanted(*state)).await;
    }

    fn change(&self, next: impl Fn(State) -> State) {
        self.0.send_if_modified(|state| {
            let new = next(*state);
            let changed = new != *state;
            *state = new;
            changed
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_connection_is_open_once_something_was_confirmed_and_since_then() {
        let (flow, start) = (Flow::new(), Instant::now());
        assert_eq!(flow.open_since(), None);
        assert!(!flow.is_blocked());
        flow.confirmed(start + SECOND);
        flow.confirmed(start + 2 * SECOND);
        assert_eq!(flow.open_since(), Some(start + SECOND));
    }

    #[test]
    fn a_late_confirm_does_not_end_an_alarm_and_its_end_begins_anew() {
        let (flow, start) = (Flow::new(), Instant::now());
        flow.confirmed(start);
        flow.block();
        flow.confirmed(start + SECOND);
        assert!(flow.is_blocked());
        assert_eq!(flow.open_since(), None);
        flow.unblock(start + 9 * SECOND);
        assert!(!flow.is_blocked());
        assert_eq!(flow.open_since(), Some(start + 9 * SECOND));
    }

    #[test]
    fn an_alarm_is_seen_also_on_a_connection_on_which_nothing_was_confirmed() {
        let flow = Flow::new();
        flow.block();
        assert!(flow.is_blocked());
        assert_eq!(flow.open_since(), None);
    }
}
