//! What reads, tokens and their checks take, many at a time.

use std::{
    future::Future,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::Result;
use futures::future::try_join_all;

/// Runs `call` again and again from `callers` at a time for so long; calls per second.
pub(crate) async fn rate<F, Fut>(callers: usize, span: Duration, call: F) -> Result<f64>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<()>>,
{
    let done = AtomicU64::new(0);
    let began = Instant::now();
    let caller = || async {
        while began.elapsed() < span {
            call().await?;
            done.fetch_add(1, Ordering::Relaxed);
        }
        anyhow::Ok(())
    };
    try_join_all((0..callers).map(|_| caller())).await?;
    Ok(done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64())
}
