//! Passwords: argon2id, off the request threads, not too many at a time.
//!
//! A hash takes tens of milliseconds and 19 MiB on purpose. Without a bound, a burst of logins would be
//! a denial of service; with it, the rest queue here, and who has failed too often lately is refused
//! before any hash is computed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use skybus_model::Timestamp;
use tokio::sync::Semaphore;

use crate::http::Error;

/// How many failures a name may have within [`WINDOW`].
pub const MOST_FAILURES: u32 = 20;
/// After this long a failure is forgotten.
pub const WINDOW: Duration = Duration::from_secs(60);

/// How many names' failures are remembered; beyond it the oldest go.
const MOST_NAMES: usize = 10_000;

/// A hash of no password: what an unknown user's password is compared with, so that the answer takes as
/// long as a known user's.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2t5YnVzLW5vLXVzZXI$\
                      M4HlB0ZWzx0SjgXlyPGHBjNuTJQ9Ky2lRHvc0s7pO0E";

/// Checks passwords.
#[derive(Debug, Clone)]
pub struct Logins {
    places: Arc<Semaphore>,
    failures: Arc<Mutex<HashMap<String, (Timestamp, u32)>>>,
}

impl Logins {
    /// With this many hashes at a time.
    #[must_use]
    pub fn new(at_a_time: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(at_a_time.max(1))),
            failures: Arc::default(),
        }
    }

    /// The hash of a new password.
    ///
    /// # Errors
    /// 500 when it cannot be computed.
    pub async fn hash(&self, password: String) -> Result<String, Error> {
        self.compute(move || {
            Argon2::default()
                .hash_password(password.as_bytes())
                .map(|hash| hash.to_string())
                .map_err(Error::internal)
        })
        .await?
    }

    /// Whether this is the password with that hash; without one it takes as long and is `false`.
    ///
    /// # Errors
    /// 429 when `who` failed too often lately; 500 when it cannot be computed.
    pub async fn check(
        &self,
        who: &str,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, Error> {
        self.refuse_the_insistent(who)?;
        let right = self
            .compute(move || {
                let known = hash.is_some();
                let text = hash.as_deref().unwrap_or(NOBODY);
                let matches = PasswordHash::new(text).is_ok_and(|hash| {
                    Argon2::default()
                        .verify_password(password.as_bytes(), &hash)
                        .is_ok()
                });
                matches && known
            })
            .await?;
        self.note(who, right);
        Ok(right)
    }

    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let place = self
            .places
            .clone()
            .acquire_owned()
            .await
            .map_err(Error::internal)?;
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        })
        .await
        .map_err(Error::internal)
    }

    fn refuse_the_insistent(&self, who: &str) -> Result<(), Error> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((since, count)) = failures.get(who) else {
            return Ok(());
        };
        let passed = Timestamp::now().since(*since);
        if passed >= WINDOW || *count < MOST_FAILURES {
            return Ok(());
        }
        let left = u32::try_from((WINDOW - passed).as_secs()).unwrap_or(60) + 1;
        let status = http::StatusCode::TOO_MANY_REQUESTS;
        let text = format!("too many failed logins; try again in {left} seconds");
        Err(Error::new(status, text).retry_after(left))
    }

    fn note(&self, who: &str, right: bool) {
        let now = Timestamp::now();
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if right {
            failures.remove(who);
            return;
        }
        metrics::counter!("skybus_login_failures_total").increment(1);
        if failures.len() >= MOST_NAMES {
            failures.retain(|_, (since, _)| now.since(*since) < WINDOW);
            if failures.len() >= MOST_NAMES {
                failures.clear();
            }
        }
        let entry = failures.entry(who.to_owned()).or_insert((now, 0));
        if now.since(entry.0) >= WINDOW {
            *entry = (now, 0);
        }
        entry.1 += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_right_password_and_no_other() {
        let logins = Logins::new(2);
        let hash = logins.hash("secret".to_owned()).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(
            logins
                .check("a", "secret".to_owned(), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(
            !logins
                .check("a", "Secret".to_owned(), Some(hash))
                .await
                .unwrap()
        );
        assert!(!logins.check("a", "secret".to_owned(), None).await.unwrap());
        assert!(
            !logins
                .check("a", "secret".to_owned(), Some("rubbish".to_owned()))
                .await
                .unwrap()
        );
    }

    #[test]
    fn an_unknown_users_password_is_hashed_all_the_same() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let fresh = Argon2::default().hash_password(b"x").unwrap().to_string();
        let fresh = PasswordHash::new(&fresh).unwrap();
        assert_eq!(nobody.algorithm, fresh.algorithm);
        assert_eq!(nobody.params, fresh.params);
        assert_eq!(nobody.hash.unwrap().len(), fresh.hash.unwrap().len());
    }

    #[tokio::test]
    async fn a_success_forgets_the_failures() {
        let logins = Logins::new(2);
        let hash = logins.hash("x".to_owned()).await.unwrap();
        for _ in 0..2 {
            for _ in 0..MOST_FAILURES - 1 {
                logins.note("a", false);
            }
            assert!(
                logins
                    .check("a", "x".to_owned(), Some(hash.clone()))
                    .await
                    .unwrap()
            );
        }
        for _ in 0..MOST_FAILURES {
            logins.note("a", false);
        }
        assert!(
            logins
                .check("a", "x".to_owned(), Some(hash.clone()))
                .await
                .is_err()
        );
        assert!(logins.check("b", "x".to_owned(), Some(hash)).await.is_ok());
    }
}
