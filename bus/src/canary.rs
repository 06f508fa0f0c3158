//! When a consumer that hears nothing must prove that it still would.
//!
//! A connection can look healthy while nothing comes through it: the queue lost its consumer on the
//! broker's side, a proxy swallows frames. So after a minute of silence the consumer sends a message
//! through its own queue. If that is not heard either, the connections are rebuilt, and if that does not
//! help, the process ends itself so that its supervisor starts it anew. This file holds the timing only.

use std::time::Duration;

use tokio::time::Instant;

/// The waiting times of a bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// After so long without a message a canary is sent.
    pub idle: Duration,
    /// A canary that was not heard for so long is lost.
    pub silence: Duration,
    /// After so many lost canaries in a row the process ends.
    pub strikes: u32,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(60),
            silence: Duration::from_secs(10),
            strikes: 3,
        }
    }
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Send,
    Lost,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Quiet { since: Instant },
    Sending,
    Listening { since: Instant },
}

/// One consumer's canary.
#[derive(Debug)]
pub(crate) struct Canary {
    timing: Timing,
    phase: Phase,
    lost: u32,
}

impl Canary {
    pub(crate) fn new(timing: Timing) -> Self {
        Self {
            timing,
            phase: Phase::Quiet {
                since: Instant::now(),
            },
            lost: 0,
        }
    }

    /// Something was heard, a canary or anything else.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.phase = Phase::Quiet { since: now };
        self.lost = 0;
    }

    /// A new connection, or one that was busy: the wait begins again. One that was rebuilt because of
    /// silence proves itself at once.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.phase = Phase::Quiet { since: now };
    }

    /// The canary left.
    pub(crate) fn sent(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Sending) {
            self.phase = Phase::Listening { since: now };
        }
    }

    /// When something will be due; nothing is while a canary is on its way out.
    pub(crate) fn wake(&self) -> Option<Instant> {
        match self.phase {
            Phase::Quiet { since } if self.lost > 0 => Some(since),
            Phase::Quiet { since } => Some(since + self.timing.idle),
            Phase::Sending => None,
            Phase::Listening { since } => Some(since + self.timing.silence),
        }
    }

    /// What is due now, if anything.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Due> {
        if self.wake().is_none_or(|wake| now < wake) {
            return None;
        }
        if matches!(self.phase, Phase::Listening { .. }) {
            self.lost += 1;
            self.phase = Phase::Quiet { since: now };
            Some(Due::Lost)
        } else {
            self.phase = Phase::Sending;
            Some(Due::Send)
        }
    }

    /// Whether rebuilding has been tried often enough.
    pub(crate) const fn hopeless(&self) -> bool {
        self.lost >= self.timing.strikes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn a_minute_of_silence_then_a_canary_then_the_end() {
        let mut canary = Canary::new(Timing::default());
        let start = Instant::now();
        canary.begin(start);
        assert_eq!(canary.due(start + 59 * SECOND), None);
        let mut now = start + 60 * SECOND;
        for strike in 1..=3 {
            assert_eq!(canary.due(now), Some(Due::Send), "strike {strike}");
            assert_eq!(canary.wake(), None);
            canary.sent(now);
            assert_eq!(canary.due(now + 9 * SECOND), None);
            now += 10 * SECOND;
            assert_eq!(canary.due(now), Some(Due::Lost));
            assert_eq!(canary.hopeless(), strike == 3);
            canary.begin(now);
        }
    }

    #[tokio::test]
    async fn anything_heard_is_proof_enough() {
        let mut canary = Canary::new(Timing::default());
        let start = Instant::now();
        assert_eq!(canary.due(start + 61 * SECOND), Some(Due::Send));
        canary.heard(start + 62 * SECOND);
        canary.sent(start + 63 * SECOND);
        assert_eq!(canary.due(start + 100 * SECOND), None);
        assert_eq!(canary.due(start + 122 * SECOND), Some(Due::Send));
    }
}
