//! Lists of servers: newest first, in batches that begin after the last server of the one before.
//!
//! The database narrows down by what is indexed and what is cheap; what only people's words can say (a
//! regular expression on names) is left to the caller, who asks for batches until it has enough.

use skybus_model::{
    Timestamp,
    id::{ProjectId, ServerId},
};

use sqlx::any::AnyRow;

use crate::{
    Result, Store,
    row::{Columns, places},
    servers::Server,
};

/// Which servers are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of this project only.
    pub project: Option<ProjectId>,
    /// Those that are gone as well.
    pub also_deleted: bool,
    /// On this host only.
    pub host: Option<String>,
    /// Of this image only.
    pub image: Option<String>,
    /// Changed at this moment or later.
    pub changed_since: Option<Timestamp>,
    /// Changed at this moment or earlier.
    pub changed_before: Option<Timestamp>,
}

/// Where a batch begins: after the server that was made then.
pub type After = (Timestamp, ServerId);

macro_rules! batch_query {
    ($columns:literal, $scope:literal, $life:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM servers WHERE ",
            $scope,
            " AND ",
            $life,
            " AND (created_at < $2 OR (created_at = $2 AND id < $3)) \
             AND ($4 = '' OR host = $4) AND ($5 = '' OR image = $5) \
             AND updated_at >= $6 AND updated_at <= $7 \
             ORDER BY created_at DESC, id DESC LIMIT $8"
        )
    };
}

/// The query for these columns, by which servers are wanted.
macro_rules! batch_of {
    ($columns:literal, $wanted:expr) => {
        match ($wanted.project.is_some(), $wanted.also_deleted) {
            (true, false) => batch_query!($columns, "project = $1", "deleted_at IS NULL"),
            (true, true) => batch_query!($columns, "project = $1", "created_at > 0"),
            (false, false) => batch_query!($columns, "$1 = ''", "deleted_at IS NULL"),
            (false, true) => batch_query!($columns, "$1 = ''", "created_at > 0"),
        }
    };
}

/// A server's id and name, and when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// Its id.
    pub id: ServerId,
    /// Its name.
    pub name: String,
    /// When it was accepted.
    pub created_at: Timestamp,
}

/// The next servers, newest first.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn batch(
    store: &Store,
    wanted: &Wanted,
    after: Option<After>,
    most: i64,
) -> Result<Vec<Server>> {
    let rows = select(store, batch_of!("*", wanted), wanted, after, most).await?;
    rows.iter().map(crate::servers::from_row).collect()
}

/// The same in short, for lists of names.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn brief(
    store: &Store,
    wanted: &Wanted,
    after: Option<After>,
    most: i64,
) -> Result<Vec<Brief>> {
    let text = batch_of!("id, name, created_at", wanted);
    let rows = select(store, text, wanted, after, most).await?;
    rows.iter()
        .map(|row| {
            Ok(Brief {
                id: row.word("id")?,
                name: row.text("name")?,
                created_at: row.time("created_at")?,
            })
        })
        .collect()
}

async fn select(
    store: &Store,
    text: &'static str,
    wanted: &Wanted,
    after: Option<After>,
    most: i64,
) -> Result<Vec<AnyRow>> {
    let (before, below) = after.map_or((i64::MAX, String::new()), |(at, id)| {
        (at.micros(), id.to_string())
    });
    Ok(sqlx::query(text)
        .bind(wanted.project.map(|p| p.to_string()).unwrap_or_default())
        .bind(before)
        .bind(below)
        .bind(wanted.host.clone().unwrap_or_default())
        .bind(wanted.image.clone().unwrap_or_default())
        .bind(wanted.changed_since.map_or(i64::MIN, Timestamp::micros))
        .bind(wanted.changed_before.map_or(i64::MAX, Timestamp::micros))
        .bind(most)
        .fetch_all(store.pool())
        .await?)
}

/// The names of the security groups of many servers, each name once per server.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn groups_of(store: &Store, servers: &[ServerId]) -> Result<Vec<(ServerId, String)>> {
    if servers.is_empty() {
        return Ok(Vec::new());
    }
    // Only numbered places are put into the text; the ids are bound.
    let text = sqlx::AssertSqlSafe(format!(
        "SELECT DISTINCT p.server, g.name FROM ports p JOIN port_groups pg ON pg.port = p.id \
         JOIN security_groups g ON g.id = pg.security_group WHERE p.server IN ({}) \
         ORDER BY p.server, g.name",
        places(1..=servers.len())
    ));
    let mut query = sqlx::query(text);
    for server in servers {
        query = query.bind(server.to_string());
    }
    let rows = query.fetch_all(store.pool()).await?;
    rows.iter()
        .map(|row| Ok((row.word("server")?, row.text("name")?)))
        .collect()
}
