//! How often somebody may ask to join in vain. A secret cannot be guessed, and a guess costs one look at one row;
//! this keeps the logs readable and tells whoever guesses to stop.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// So often within [`WINDOW`], from one address.
const MOST: u32 = 30;
const WINDOW: Duration = Duration::from_secs(60);
/// So many addresses are remembered.
const ADDRESSES: usize = 4096;

/// Attempts that failed or are under way, by address.
#[derive(Debug, Default)]
pub struct Attempts(Mutex<HashMap<IpAddr, (Instant, u32)>>);

impl Attempts {
    /// Another one begins, and counts as failed until it is [taken back](Self::succeeded): many at the same time
    /// are many. For how long `from` has to wait, if it has to.
    pub(super) fn begin(&self, from: IpAddr) -> Option<Duration> {
        let mut failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.len() >= ADDRESSES {
            failed.retain(|_, (since, _)| since.elapsed() < WINDOW);
        }
        if failed.len() >= ADDRESSES {
            failed.clear();
        }
        let (since, count) = failed.entry(from).or_insert_with(|| (Instant::now(), 0));
        if since.elapsed() >= WINDOW {
            (*since, *count) = (Instant::now(), 0);
        }
        *count = count.saturating_add(1);
        let left = WINDOW.checked_sub(since.elapsed())?;
        (*count > MOST).then_some(left)
    }

    /// It did not fail.
    pub(super) fn succeeded(&self, from: IpAddr) {
        let mut failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, count)) = failed.get_mut(&from) {
            *count = count.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_too_often_has_to_wait_and_others_do_not() {
        let attempts = Attempts::default();
        let (one, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        for _ in 0..MOST {
            assert_eq!(attempts.begin(one), None);
        }
        assert!(attempts.begin(one).is_some());
        for _ in 0..=MOST {
            assert_eq!(attempts.begin(other), None);
            attempts.succeeded(other);
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let attempts = Attempts::default();
        for number in 0..10_000u32 {
            let _none = attempts.begin(IpAddr::from(number.to_be_bytes()));
        }
        assert!(attempts.0.lock().unwrap().len() <= ADDRESSES);
    }
}
