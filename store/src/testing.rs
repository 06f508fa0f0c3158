//! Throw-away databases for tests, on both engines.
//!
//! PostgreSQL is started from the distribution's binaries, once per test binary, on a unix socket in a
//! temporary directory; where they are missing, tests that ask for it say so and fail.

mod cloud;
mod postgres;
mod waiting;

use tempfile::TempDir;

use crate::Store;

pub use cloud::{SMALL, TestCloud};
pub use postgres::Postgres;
pub use waiting::wait;

/// A migrated database that is gone when this is dropped.
#[derive(Debug)]
pub struct TestStore {
    /// The database.
    pub store: Store,
    /// Its address, for a second process.
    pub url: String,
    _directory: Option<TempDir>,
}

impl TestStore {
    /// A fresh SQLite database.
    ///
    /// # Panics
    /// When it cannot be made; a test cannot go on then.
    #[allow(
        clippy::expect_used,
        reason = "test support: a test cannot go on without its database"
    )]
    pub async fn sqlite() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let url = format!("sqlite://{}/test.db", directory.path().display());
        let store = Store::open(&url).await.expect("SQLite opens");
        store.migrate().await.expect("the migrations run on SQLite");
        Self {
            store,
            url,
            _directory: Some(directory),
        }
    }

    /// A fresh PostgreSQL database.
    ///
    /// # Panics
    /// When it cannot be made; a test cannot go on then.
    #[allow(
        clippy::expect_used,
        reason = "test support: a test cannot go on without its database"
    )]
    pub async fn postgres() -> Self {
        let url = Postgres::shared().await.new_database().await;
        let store = Store::open(&url).await.expect("PostgreSQL opens");
        store
            .migrate()
            .await
            .expect("the migrations run on PostgreSQL");
        Self {
            store,
            url,
            _directory: None,
        }
    }
}
