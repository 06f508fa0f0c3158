//! A host's name: the stable word by which a machine that runs workers is known.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// One word of `a-z`, `0-9` and `-`, at most 63 long, beginning with a letter or digit. It has no dots,
/// because a dot would split it into several words of a routing key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

/// The text cannot be a host's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} cannot be a host's name; use 1 to 63 characters of a-z, 0-9 and '-', starting with a letter or digit"
)]
pub struct NotAHostName {
    /// What was given.
    pub text: String,
}

impl HostName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name for a machine that calls itself `hostname`: the first label, in lower case, with
    /// everything else turned into `-`.
    #[must_use]
    pub fn from_machine(hostname: &str) -> Self {
        let label = hostname
            .split('.')
            .next()
            .unwrap_or_default()
            .to_lowercase();
        let clean: String = label
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .take(63)
            .collect();
        let trimmed = clean.trim_matches('-');
        Self(if trimmed.is_empty() {
            "host".to_owned()
        } else {
            trimmed.to_owned()
        })
    }
}

impl FromStr for HostName {
    type Err = NotAHostName;
    fn from_str(text: &str) -> Result<Self, NotAHostName> {
        let fits = (1..=63).contains(&text.len())
            && !text.starts_with('-')
            && text
                .bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAHostName {
                text: text.chars().take(80).collect(),
            })
        }
    }
}

impl TryFrom<String> for HostName {
    type Error = NotAHostName;
    fn try_from(text: String) -> Result<Self, NotAHostName> {
        text.parse()
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> Self {
        name.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a host has, or what of it is used, or what a server needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Resources {
    /// Virtual CPUs.
    #[serde(deserialize_with = "amount")]
    pub vcpus: i64,
    /// Memory, MiB.
    #[serde(deserialize_with = "amount")]
    pub ram_mib: i64,
    /// Disk, GiB.
    #[serde(deserialize_with = "amount")]
    pub disk_gib: i64,
}

impl Resources {
    /// The largest amount that is believed. Amounts are multiplied by allocation ratios in 64 bits, here
    /// and by the database, for which an overflow is an error: a host that claims to have more would stop
    /// the placing of servers anywhere.
    pub const MOST: i64 = 1 << 40;
}

fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let amount = i64::deserialize(deserializer)?;
    if (-Resources::MOST..=Resources::MOST).contains(&amount) {
        Ok(amount)
    } else {
        Err(D::Error::custom(format!(
            "{amount} is no amount that a host can have"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_wildcards_and_capitals_are_refused() {
        for bad in ["", "a.b", "a#", "*", "A", "-a", "a b", &"x".repeat(64)] {
            assert!(bad.parse::<HostName>().is_err(), "{bad} was taken");
        }
        assert_eq!("node-7".parse::<HostName>().unwrap().as_str(), "node-7");
    }

    #[test]
    fn what_no_host_can_have_is_not_believed() {
        let read = |amount: i64| {
            let text = format!(r#"{{"vcpus": {amount}, "ram_mib": 1, "disk_gib": 1}}"#);
            serde_json::from_str::<Resources>(&text)
        };
        for good in [0, -1, 4, Resources::MOST] {
            assert_eq!(read(good).unwrap().vcpus, good);
        }
        for bad in [Resources::MOST + 1, i64::MAX, i64::MIN] {
            assert!(read(bad).is_err(), "{bad} was taken");
        }
        // The largest ratio that can be configured is a thousand, and is kept in thousandths.
        assert!(Resources::MOST.checked_mul(1_000_000).is_some());
    }

    #[test]
    fn any_machine_gets_a_name() {
        assert_eq!(
            HostName::from_machine("Node_7.example.org").as_str(),
            "node-7"
        );
        assert_eq!(HostName::from_machine("").as_str(), "host");
    }
}
