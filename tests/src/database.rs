//! A PostgreSQL for a cloud of a test.

use anyhow::Result;
use skybus_store::testing::Postgres;

/// The address of a new database on a private PostgreSQL, which ends with the tests.
///
/// # Errors
/// When there is no runtime to be had.
pub fn new_postgres() -> Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let url = runtime.block_on(async { Postgres::shared().await.new_database().await });
    // It listens on a socket alone. An address that names a machine as well would be looked for there.
    let of_socket = url.replace("postgres://postgres@localhost/", "postgres:///");
    Ok(format!("{of_socket}&user=postgres"))
}
