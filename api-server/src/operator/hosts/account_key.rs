//! The key with which passwords of joined machines' accounts are derived.
//!
//! A machine that runs a scheduler or an API server has the database and the key that signs paths. This one is
//! told to none of them: none can compute what another one's account is opened with.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::http::Error;

/// So many bytes at least.
const LENGTH: usize = 32;

/// The key.
pub(super) struct AccountKey(Hmac<Sha256>);

impl AccountKey {
    /// The key with these hexadecimal digits.
    ///
    /// # Errors
    /// When there are none, or too few: then it is another API server that looks after machines.
    pub(super) fn of(digits: Option<&str>) -> Result<Self, Error> {
        hex::decode(digits.unwrap_or_default())
            .ok()
            .filter(|bytes| bytes.len() >= LENGTH)
            .and_then(|bytes| Hmac::new_from_slice(&bytes).ok())
            .map(Self)
            .ok_or_else(|| {
                Error::conflict(
                    "this API server was not told the key of machines' accounts (`account_key` in its \
                     configuration, 64 hexadecimal digits); where `skybus up` made the cloud, `skybus down` and \
                     `skybus up` put it there",
                )
            })
    }

    /// The password of an account, for whoever joined with this token's hash and this key's hash.
    pub(super) fn password(&self, account: &str, (secret, joiner): (&str, &str)) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("account {account} {secret} {joiner}").as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_takes_the_key_the_account_and_who_has_joined() {
        let key = |digits: &str| AccountKey::of(Some(digits)).ok().unwrap();
        let (one, other) = (key(&"ab".repeat(32)), key(&"cd".repeat(32)));
        let whose = ("secret", "joiner");
        assert_eq!(one.password("a", whose), one.password("a", whose));
        for different in [
            other.password("a", whose),
            one.password("b", whose),
            one.password("a", ("secret", "another")),
            one.password("a", ("another", "joiner")),
        ] {
            assert_ne!(one.password("a", whose), different);
        }
        let no_digits = "x".repeat(64);
        for too_little in [None, Some("abcd"), Some(no_digits.as_str())] {
            assert!(AccountKey::of(too_little).is_err(), "{too_little:?}");
        }
    }
}
