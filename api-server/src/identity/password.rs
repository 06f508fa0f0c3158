//! Passwords: argon2id, off the request threads, not too many at a time.
//!
//! A hash takes tens of milliseconds and 19 MiB on purpose. Without a bound, a burst of logins would be
//! a denial of service; with it, the rest queue here, and who has failed too often lately is refused
//! before any hash is computed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use skybus_model::Timestamp;
use tokio::sync::{Notify, Semaphore};

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
    records: Arc<Mutex<HashMap<String, Record>>>,
    ended: Arc<Notify>,
}

/// How a name's attempts went lately.
#[derive(Debug)]
struct Record {
    since: Timestamp,
    failures: u32,
    running: u32,
}

impl Logins {
    /// With this many hashes at a time.
    #[must_use]
    pub fn new(at_a_time: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(at_a_time.max(1))),
            records: Arc::default(),
            ended: Arc::default(),
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
        let mut attempt = self.begin(who).await?;
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
        attempt.right = right;
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

    /// Lets an attempt of `who` begin. Those that run count like failures until they have ended, so that
    /// many at once are not more than one after the other; who may be over the limit by that waits.
    async fn begin(&self, who: &str) -> Result<Attempt<'_>, Error> {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if self.count(who)? {
                return Ok(Attempt {
                    logins: self,
                    who: who.to_owned(),
                    right: false,
                });
            }
            ended.await;
        }
    }

    /// Counts an attempt that begins; `false` when there must be an end of another first.
    fn count(&self, who: &str) -> Result<bool, Error> {
        let now = Timestamp::now();
        let mut records = self.records();
        if records.len() >= MOST_NAMES && !records.contains_key(who) {
            records.retain(|_, record| record.running > 0 || now.since(record.since) < WINDOW);
            if records.len() >= MOST_NAMES {
                records.retain(|_, record| record.running > 0);
            }
        }
        let record = records.entry(who.to_owned()).or_insert(Record {
            since: now,
            failures: 0,
            running: 0,
        });
        let passed = now.since(record.since);
        if passed >= WINDOW {
            record.since = now;
            record.failures = 0;
        }
        if record.failures >= MOST_FAILURES {
            let left = u32::try_from((WINDOW - passed).as_secs()).unwrap_or(60) + 1;
            let status = http::StatusCode::TOO_MANY_REQUESTS;
            let text = format!("too many failed logins; try again in {left} seconds");
            return Err(Error::new(status, text).retry_after(left));
        }
        let room = record.failures + record.running < MOST_FAILURES;
        record.running += u32::from(room);
        Ok(room)
    }

    fn records(&self) -> MutexGuard<'_, HashMap<String, Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt that runs. One whose caller went away ends as a failure.
#[derive(Debug)]
struct Attempt<'a> {
    logins: &'a Logins,
    who: String,
    right: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let mut records = self.logins.records();
        if let Some(record) = records.get_mut(&self.who) {
            record.running = record.running.saturating_sub(1);
            record.failures = if self.right { 0 } else { record.failures + 1 };
            if record.failures + record.running == 0 {
                records.remove(&self.who);
            }
        }
        drop(records);
        if !self.right {
            metrics::counter!("skybus_login_failures_total").increment(1);
        }
        self.logins.ended.notify_waiters();
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

    async fn fails(logins: &Logins, times: u32) {
        for _ in 0..times {
            drop(logins.begin("a").await.unwrap());
        }
    }

    #[tokio::test]
    async fn a_success_forgets_the_failures() {
        let logins = Logins::new(2);
        let hash = logins.hash("x".to_owned()).await.unwrap();
        let right = |who| logins.check(who, "x".to_owned(), Some(hash.clone()));
        for _ in 0..2 {
            fails(&logins, MOST_FAILURES - 1).await;
            assert!(right("a").await.unwrap());
        }
        fails(&logins, MOST_FAILURES).await;
        assert!(right("a").await.is_err());
        assert!(right("b").await.is_ok());
    }

    #[tokio::test]
    async fn of_many_wrong_ones_at_once_no_more_pass_than_one_after_the_other() {
        let logins = Logins::new(4);
        let hash = logins.hash("x".to_owned()).await.unwrap();
        let at_once = |password: &'static str| {
            let one = |_| logins.check("a", password.to_owned(), Some(hash.clone()));
            futures::future::join_all((0..MOST_FAILURES * 2).map(one))
        };
        // Right ones may be as many as they like.
        assert!(at_once("x").await.into_iter().all(|right| right.unwrap()));
        let tried = at_once("y").await;
        let tried = tried.iter().filter(|tried| tried.is_ok()).count();
        assert_eq!(tried, MOST_FAILURES as usize);
    }
}
