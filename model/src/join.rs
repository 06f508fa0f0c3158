//! What is said when a machine joins: the token that an operator hands over, what the machine asks with it,
//! and what it is granted.

use std::{collections::BTreeMap, fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{HostName, machine::Role};

/// Where the version of the form stands for all to see.
const BEGINNING: &str = "sb1_";
/// So many bytes at the end tell a token that was copied wrong.
const CHECK: usize = 4;

/// One word with everything that a machine needs in order to join: where the API is, what the machine is
/// called, and a secret that is good once.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The address of the APIs.
    pub api: String,
    /// What the machine is called.
    pub name: HostName,
    /// What it is to run.
    pub role: Role,
    /// The secret.
    pub secret: String,
}

/// Why a word is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAToken {
    /// It looks like something else.
    #[error("this is no token of `skybus host add`: those begin with {BEGINNING}")]
    Foreign,
    /// A later version made it.
    #[error("this token was made by a later version of skybus; install that one here")]
    Later,
    /// A letter is wrong or missing.
    #[error("a letter of this token is wrong or missing; copy it again as one word")]
    Damaged,
}

impl Token {
    /// Its text.
    #[must_use]
    pub fn written(&self) -> String {
        let mut bytes = format!(
            "{}\n{}\n{}\n{}",
            self.api, self.name, self.role, self.secret
        )
        .into_bytes();
        let check = Sha256::digest(&bytes);
        bytes.extend(check.iter().take(CHECK));
        format!("{BEGINNING}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Token {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Self, NotAToken> {
        let text = text.trim();
        let Some(rest) = text.strip_prefix(BEGINNING) else {
            let later = text
                .strip_prefix("sb")
                .and_then(|rest| rest.split_once('_'))
                .is_some_and(|(version, _)| version.parse::<u32>().is_ok());
            return Err(if later {
                NotAToken::Later
            } else {
                NotAToken::Foreign
            });
        };
        let bytes = URL_SAFE_NO_PAD
            .decode(rest)
            .map_err(|_| NotAToken::Damaged)?;
        let (said, check) = bytes
            .len()
            .checked_sub(CHECK)
            .map(|place| bytes.split_at(place))
            .ok_or(NotAToken::Damaged)?;
        if Sha256::digest(said)[..CHECK] != *check {
            return Err(NotAToken::Damaged);
        }
        let said = std::str::from_utf8(said).map_err(|_| NotAToken::Damaged)?;
        let mut lines = said.split('\n');
        let mut next = || lines.next().ok_or(NotAToken::Damaged);
        let (api, name, role, secret) = (next()?, next()?, next()?, next()?);
        Ok(Self {
            api: api.to_owned(),
            name: name.parse().map_err(|_| NotAToken::Damaged)?,
            role: role.parse().map_err(|_| NotAToken::Damaged)?,
            secret: secret.to_owned(),
        })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(for {} at {})", self.name, self.api)
    }
}

/// What a machine asks with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// What it is called.
    pub name: HostName,
    /// The token's secret.
    pub secret: String,
    /// The hash of a key that the machine made and keeps: by it the same machine is known when it asks again.
    pub key: String,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Asked(by {})", self.name)
    }
}

/// What a machine that has joined needs to know, and no more than that.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// What it is to run.
    pub role: Role,
    /// The broker's address for each of its processes, with that process's own account.
    pub broker: BTreeMap<String, String>,
    /// Where the APIs are.
    pub api_url: String,
    /// Proves that a question about a guest comes from a network worker; for those, and for API servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_secret: Option<String>,
    /// Signs internal addresses; for schedulers and API servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_secret: Option<String>,
    /// The database; for schedulers and API servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// The address in the catalog; for API servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// The region in the catalog; for API servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Grant({})", self.role)
    }
}

/// The hash under which a secret is sent or kept, in hexadecimal.
#[must_use]
pub fn hash(secret: &str) -> String {
    Sha256::digest(secret.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token() -> Token {
        Token {
            api: "http://192.0.2.1:8774".to_owned(),
            name: "node-2".parse().unwrap(),
            role: Role::Compute,
            secret: "0123456789abcdef".to_owned(),
        }
    }

    #[test]
    fn a_token_is_one_word_and_is_read_again() {
        let written = token().written();
        assert!(
            written
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        );
        assert_eq!(written.parse(), Ok(token()));
        assert_eq!(format!(" {written}\n").parse(), Ok(token()));
    }

    #[test]
    fn what_is_no_token_is_told_apart() {
        assert_eq!("hello".parse::<Token>(), Err(NotAToken::Foreign));
        assert_eq!("sb2_AAAA".parse::<Token>(), Err(NotAToken::Later));
        assert_eq!("sb1_".parse::<Token>(), Err(NotAToken::Damaged));
        assert!(!format!("{:?}", token()).contains("0123"));
    }

    proptest! {
        #[test]
        fn a_letter_that_is_wrong_or_missing_is_noticed(place in 4usize..80, letter in "[A-Za-z0-9_-]") {
            let written = token().written();
            prop_assume!(place < written.len());
            let mut wrong = written.clone();
            wrong.replace_range(place..=place, &letter);
            // The last letter carries bits that belong to no byte; changing those changes nothing.
            prop_assume!(wrong != written);
            prop_assert!(wrong.parse::<Token>() != Ok(token()) || place + 1 == written.len());
            let mut short = written;
            short.remove(place);
            prop_assert_eq!(short.parse::<Token>(), Err(NotAToken::Damaged));
        }
    }
}
