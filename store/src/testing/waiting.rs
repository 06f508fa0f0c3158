//! Two transactions at once, on PostgreSQL: one is held open by hand until the other waits for it.

use std::time::Duration;

use tokio::task::JoinHandle;

use crate::Store;

/// How long anything may take to come to wait for a lock.
const LIMIT: Duration = Duration::from_secs(120);
const EVERY: Duration = Duration::from_millis(10);

/// Returns when as many transactions of this database as there are `tasks` wait for a lock, or one of these has
/// ended. Whether they wait.
///
/// # Panics
/// When neither comes about.
#[allow(
    clippy::expect_used,
    reason = "test support: a test cannot go on without its database"
)]
pub async fn wait<T>(store: &Store, tasks: &[JoinHandle<T>]) -> bool {
    let text = "SELECT COUNT(*) FROM pg_stat_activity \
                WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let looked = async {
        loop {
            let waiting: i64 = sqlx::query_scalar(text)
                .fetch_one(store.pool())
                .await
                .expect("PostgreSQL says who waits");
            if usize::try_from(waiting).is_ok_and(|waiting| waiting >= tasks.len()) {
                return true;
            }
            if tasks.iter().any(JoinHandle::is_finished) {
                return false;
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    tokio::time::timeout(LIMIT, looked)
        .await
        .expect("nobody waits for a lock, and nobody ends")
}
