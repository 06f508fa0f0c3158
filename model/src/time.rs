//! The one clock, and time as it is kept: whole microseconds since 1970, UTC.
//!
//! Every reading of the wall clock goes through [`Timestamp::now`].

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// A moment: microseconds since 1970-01-01T00:00:00Z. In JSON and SQL it is that number.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The wall clock, now.
    #[must_use]
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the clock"
    )]
    pub fn now() -> Self {
        Self(Utc::now().timestamp_micros())
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, as AMQP and token formats want them.
    #[must_use]
    pub fn seconds(self) -> u64 {
        u64::try_from(self.0 / 1_000_000).unwrap_or(0)
    }

    /// This moment and so much later.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// `2026-11-22T10:20:30Z`, as Nova writes times.
    #[must_use]
    pub fn iso_seconds(self) -> String {
        self.utc().to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// `2026-11-22T10:20:30.123456`, as Nova's older fields and instance actions write times.
    #[must_use]
    pub fn iso_micros(self) -> String {
        self.utc().format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
    }

    /// `2026-11-22T10:20:30.123456Z`, as Keystone writes times.
    #[must_use]
    pub fn iso_micros_z(self) -> String {
        self.utc().to_rfc3339_opts(SecondsFormat::Micros, true)
    }

    /// `2026-11-22 10:20:30.123456`, as oslo.messaging's notifications write times.
    #[must_use]
    pub fn oslo(self) -> String {
        self.utc().format("%Y-%m-%d %H:%M:%S%.6f").to_string()
    }

    /// Reads a time as clients write it: RFC 3339, or without a zone, which then is UTC.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Some(Self(time.timestamp_micros()));
        }
        ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
            .map(|time| Self(time.and_utc().timestamp_micros()))
    }

    fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_the_field() {
        let t = Timestamp(1_795_342_830_123_456);
        assert_eq!(t.iso_seconds(), "2026-11-22T10:20:30Z");
        assert_eq!(t.iso_micros(), "2026-11-22T10:20:30.123456");
        assert_eq!(t.oslo(), "2026-11-22 10:20:30.123456");
    }

    #[test]
    fn times_are_read_with_and_without_a_zone() {
        let t = Timestamp(1_795_342_830_000_000);
        for text in [
            "2026-11-22T10:20:30Z",
            "2026-11-22T11:20:30+01:00",
            "2026-11-22T10:20:30",
        ] {
            assert_eq!(Timestamp::parse(text), Some(t), "{text}");
        }
        assert_eq!(Timestamp::parse("yesterday"), None);
    }

    #[test]
    fn a_clock_that_jumped_back_gives_zero_and_not_a_panic() {
        assert_eq!(Timestamp(5).since(Timestamp(10)), Duration::ZERO);
    }
}
