//! The tables, and what happens to them at each opening.

use std::time::Duration;

use skybus_model::{Order, Timestamp};
use sqlx::SqlitePool;

use super::Error;

/// How long the id of a finished command is kept, so that a late repetition is known as one.
const REMEMBER: Duration = Duration::from_secs(7 * 24 * 3600);

/// By so much a host's clock may differ from the control plane's and not count as wrong.
const DIFFERENCE: Duration = Duration::from_secs(3600);

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS inbox (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, routing_key TEXT NOT NULL, body BLOB NOT NULL,
    request_id TEXT NOT NULL, traceparent TEXT NOT NULL, at BIGINT NOT NULL, finished BIGINT);
CREATE INDEX IF NOT EXISTS inbox_unfinished ON inbox (id) WHERE finished IS NULL;
CREATE TABLE IF NOT EXISTS records (
    kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, key));
CREATE TABLE IF NOT EXISTS outbox (
    id TEXT PRIMARY KEY, exchange TEXT NOT NULL, routing_key TEXT NOT NULL, kind TEXT NOT NULL,
    body BLOB NOT NULL, request_id TEXT NOT NULL, traceparent TEXT NOT NULL, at BIGINT NOT NULL);
";

/// Counts this opening, and forgets what was finished long ago.
pub(super) async fn begin(writer: &SqlitePool, now: Timestamp) -> Result<i64, Error> {
    sqlx::raw_sql(SCHEMA).execute(writer).await?;
    let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
    let last: Option<i64> = sqlx::query_scalar("SELECT value FROM counters WHERE name = 'epoch'")
        .fetch_optional(&mut *tx)
        .await?;
    let heard: Option<i64> = sqlx::query_scalar("SELECT MAX(at) FROM inbox")
        .fetch_one(&mut *tx)
        .await?;
    let epoch = after(last, Timestamp(heard.unwrap_or(0)), now);
    sqlx::query(
        "INSERT INTO counters (name, value) VALUES ('epoch', $1)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(epoch)
    .execute(&mut *tx)
    .await?;
    let old = i64::try_from(REMEMBER.as_micros()).unwrap_or(i64::MAX);
    // The newest stays, whatever the clock says: it tells how late it is at least.
    sqlx::query("DELETE FROM inbox WHERE finished < $1 AND at < (SELECT MAX(at) FROM inbox)")
        .bind(now.micros().saturating_sub(old))
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(epoch)
}

/// The epoch after the `last` one that this file knows of. The file may be new, where an old one was lost,
/// or an old state of itself, where the host was put back to a snapshot: its former life had epochs that it
/// does not know of. Those were taken from the clock, too, unless the agent was started more than once a
/// second, and so the clock is ahead of them.
///
/// An epoch that is far in the future was begun with a wrong clock, and nobody believes it: with the clock set
/// right, it is left behind. Unless the clock is what is wrong now, and shows a time before the newest command
/// that was `heard`.
fn after(last: Option<i64>, heard: Timestamp, now: Timestamp) -> i64 {
    let clock = i64::try_from(now.seconds()).unwrap_or(1);
    let Some(last) = last else {
        return clock;
    };
    let believed = Order {
        epoch: last,
        seq: 0,
    }
    .is_credible(now);
    let clock_is_behind = now.after(DIFFERENCE) < heard;
    if believed || clock_is_behind {
        clock.max(last.saturating_add(1))
    } else {
        clock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000;
    const YEAR: i64 = 365 * 24 * 3600;

    fn at(second: i64) -> Timestamp {
        Timestamp(second * 1_000_000)
    }

    #[test]
    fn it_grows_with_each_start_however_many_there_are_in_a_second() {
        assert_eq!(after(None, at(0), at(NOW)), NOW);
        assert_eq!(after(Some(NOW), at(0), at(NOW)), NOW + 1);
        assert_eq!(after(Some(NOW + 7), at(0), at(NOW)), NOW + 8);
        assert_eq!(
            after(Some(3), at(0), at(NOW)),
            NOW,
            "it once was a mere count"
        );
    }

    #[test]
    fn a_clock_that_is_behind_takes_nothing_back() {
        let heard = at(NOW - 3600);
        for wrong in [0, NOW - YEAR, NOW - 2 * 24 * 3600] {
            assert_eq!(after(Some(NOW), heard, at(wrong)), NOW + 1);
        }
    }

    #[test]
    fn an_epoch_of_a_clock_that_was_ahead_is_left_behind() {
        let heard = at(NOW - 3600);
        let wrong = after(Some(NOW - 60), heard, at(NOW + YEAR));
        assert_eq!(wrong, NOW + YEAR);
        assert_eq!(after(Some(wrong), heard, at(NOW)), NOW);
        assert_eq!(after(Some(i64::MAX), heard, at(NOW)), NOW);
    }

    #[tokio::test]
    async fn the_newest_command_is_kept_to_tell_how_late_it_is_at_least() {
        let writer = SqlitePool::connect("sqlite::memory:").await.unwrap();
        assert_eq!(begin(&writer, at(NOW)).await.unwrap(), NOW);
        for second in [10, 20] {
            let insert = "INSERT INTO inbox (id, kind, routing_key, body, request_id, traceparent, at, \
                          finished) VALUES ($1, '', '', x'', '', '', $2, $2)";
            let row = sqlx::query(insert).bind(second.to_string());
            let row = row.bind(at(NOW + second).micros()).execute(&writer);
            row.await.unwrap();
        }
        // The clock is ahead, and then behind; both are set right at last.
        assert_eq!(begin(&writer, at(NOW + YEAR)).await.unwrap(), NOW + YEAR);
        let left: Vec<String> = sqlx::query_scalar("SELECT id FROM inbox")
            .fetch_all(&writer)
            .await
            .unwrap();
        assert_eq!(left, ["20"]);
        assert_eq!(begin(&writer, at(0)).await.unwrap(), NOW + YEAR + 1);
        assert_eq!(begin(&writer, at(NOW + 60)).await.unwrap(), NOW + 60);
    }

    #[tokio::test]
    async fn a_host_that_was_put_back_to_a_snapshot_is_ahead_of_its_former_life() {
        let dir = tempfile::tempdir().unwrap();
        let open = async |path, second| {
            let file = format!("sqlite://{path}?mode=rwc");
            let writer = SqlitePool::connect(&file).await.unwrap();
            let epoch = begin(&writer, at(second)).await.unwrap();
            writer.close().await;
            epoch
        };
        let [path, snapshot] = ["journal.db", "snapshot.db"]
            .map(|name| dir.path().join(name).to_str().unwrap().to_owned());
        let mut before = vec![open(&path, NOW).await];
        std::fs::copy(&path, &snapshot).unwrap();
        for second in [1, 1, 50] {
            before.push(open(&path, NOW + second).await);
        }
        assert!(before.is_sorted_by(|one, next| one < next), "{before:?}");
        std::fs::copy(&snapshot, &path).unwrap();
        let after = open(&path, NOW + 60).await;
        assert!(
            before.iter().all(|epoch| *epoch < after),
            "{after}: {before:?}"
        );
    }
}
