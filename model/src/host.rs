//! A host's name: the stable word by which a machine that runs workers is known.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

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
    pub vcpus: i64,
    /// Memory, MiB.
    pub ram_mib: i64,
    /// Disk, GiB.
    pub disk_gib: i64,
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
    fn any_machine_gets_a_name() {
        assert_eq!(
            HostName::from_machine("Node_7.example.org").as_str(),
            "node-7"
        );
        assert_eq!(HostName::from_machine("").as_str(), "host");
    }
}
