//! Paths that carry their own permission: `path?expires=…&signature=…`.
//!
//! A command lets a host fetch one image or one config drive for a while, and nothing else. The key is
//! known to API servers and schedulers only.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use skybus_model::Timestamp;

/// The key that signs paths.
#[derive(Clone)]
pub struct PathKey(Vec<u8>);

/// A signature was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is over.
    #[error("this address has expired; ask for the work to be sent again")]
    Expired,
    /// It was not made with our key for this path.
    #[error("this address carries no valid signature")]
    Forged,
}

impl std::fmt::Debug for PathKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PathKey(…)")
    }
}

impl PathKey {
    /// The key with these hexadecimal digits; `None` when they are not at least 32 bytes.
    #[must_use]
    pub fn from_hex(digits: &str) -> Option<Self> {
        hex::decode(digits)
            .ok()
            .filter(|bytes| bytes.len() >= 32)
            .map(Self)
    }

    /// `path` with a signature that holds for `lifetime`.
    #[must_use]
    pub fn sign(&self, path: &str, lifetime: Duration) -> String {
        let expires = Timestamp::now().after(lifetime).seconds();
        let signature = hex::encode(self.mac(path, expires).finalize().into_bytes());
        format!("{path}?expires={expires}&signature={signature}")
    }

    /// Whether `signature` was made by this key for `path` until `expires` (seconds since 1970), and
    /// that is not over.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub fn verify(&self, path: &str, expires: u64, signature: &str) -> Result<(), Refused> {
        let given = hex::decode(signature).map_err(|_| Refused::Forged)?;
        self.mac(path, expires)
            .verify_slice(&given)
            .map_err(|_| Refused::Forged)?;
        if expires < Timestamp::now().seconds() {
            Err(Refused::Expired)
        } else {
            Ok(())
        }
    }

    fn mac(&self, path: &str, expires: u64) -> Hmac<Sha256> {
        #[allow(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length will do");
        mac.update(format!("{path}\n{expires}").as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(signed: &str) -> (&str, u64, &str) {
        let (path, query) = signed.split_once("?expires=").unwrap();
        let (expires, signature) = query.split_once("&signature=").unwrap();
        (path, expires.parse().unwrap(), signature)
    }

    #[test]
    fn only_the_signed_path_passes_and_only_in_time() {
        let key = PathKey::from_hex(&"ab".repeat(32)).unwrap();
        let signed = key.sign("/internal/images/1", Duration::from_secs(60));
        let (path, expires, signature) = parts(&signed);
        assert_eq!(key.verify(path, expires, signature), Ok(()));
        assert_eq!(
            key.verify("/internal/images/2", expires, signature),
            Err(Refused::Forged)
        );
        assert_eq!(
            key.verify(path, expires + 1, signature),
            Err(Refused::Forged)
        );
        let other = PathKey::from_hex(&"cd".repeat(32)).unwrap();
        assert_eq!(other.verify(path, expires, signature), Err(Refused::Forged));
        let past = Timestamp::now().seconds() - 1;
        let old = hex::encode(key.mac(path, past).finalize().into_bytes());
        assert_eq!(key.verify(path, past, &old), Err(Refused::Expired));
    }
}
