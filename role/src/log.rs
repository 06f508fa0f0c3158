//! Logs: lines on standard error, which the supervisor keeps in a file per role.

use tracing_subscriber::EnvFilter;

/// Starts logging. `filter` is a word such as `info`, or `skybus_bus=debug,info`; the variable
/// `SKYBUS_LOG` wins over it.
pub fn start(role: &'static str, filter: &str) {
    let filter = std::env::var("SKYBUS_LOG").unwrap_or_else(|_| filter.to_owned());
    let filter = EnvFilter::try_new(&filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(true)
        .finish();
    // A second start (in tests) keeps the first.
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        tracing::info!(
            role,
            version = env!("CARGO_PKG_VERSION"),
            pid = std::process::id(),
            "starts"
        );
    }
}
