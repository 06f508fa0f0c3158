//! Waiting for something that must become true, within a time limit.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

const PAUSE: Duration = Duration::from_millis(200);

/// Waits until `look` finds something.
///
/// # Errors
/// When it has not found it in time; `what` says what was waited for.
pub fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() > end {
            bail!("after {} s there is still not {what}", limit.as_secs());
        }
        thread::sleep(PAUSE);
    }
}
