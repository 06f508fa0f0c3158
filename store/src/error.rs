//! Why a row could not be read or written, by what the caller can do about it.

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such row.
    #[error("there is no {0}")]
    NotFound(String),
    /// The change does not fit what is there: a duplicate, an exhausted pool, a lost race.
    #[error("{0}")]
    Conflict(String),
    /// A column holds what this version does not understand.
    #[error("column {column} holds {value:?}, which this version does not understand")]
    Unreadable {
        /// The column.
        column: &'static str,
        /// Its text, shortened.
        value: String,
    },
    /// The database itself failed.
    #[error("the database failed")]
    Broken(#[from] sqlx::Error),
    /// The tables could not be brought up to date.
    #[error("the database's tables could not be brought up to date")]
    Migration(#[from] sqlx::migrate::MigrateError),
}

impl Error {
    /// Whether the database refused a row because an equal one exists.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Self::Broken(sqlx::Error::Database(e)) if e.is_unique_violation())
    }

    /// Whether the same transaction may succeed when it is tried again: the database was busy, or chose
    /// this transaction to give way (PostgreSQL 40001 and 40P01).
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Broken(sqlx::Error::Database(e)) => {
                matches!(e.code().as_deref(), Some("40001" | "40P01" | "5" | "517"))
            }
            Self::Broken(sqlx::Error::PoolTimedOut | sqlx::Error::Io(_)) => true,
            _ => false,
        }
    }

    /// Whether the database has no room left on its disk (SQLite 13, or 4874 when its index of the log cannot
    /// grow; PostgreSQL 53100). Nothing was written then.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        let Self::Broken(sqlx::Error::Database(error)) = self else {
            return false;
        };
        matches!(error.code().as_deref(), Some("13" | "4874" | "53100"))
    }
}
