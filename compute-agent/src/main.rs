//! `skybus-compute --config FILE`: runs the servers of a host. `skybus-compute teardown --config FILE`
//! ends them all.

use anyhow::bail;
use skybus_compute::{config::Config, service, teardown};
use skybus_role::{Role, config, log};

const NAME: &str = "skybus-compute";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (path, words) = config::from_arguments(NAME)?;
    let config: Config = config::load(&path)?;
    log::start(NAME, &config.log);
    match words.first().map(String::as_str) {
        None => {
            let role = Role::start(NAME, config.health).await?;
            service::start(&role, config).await?;
            role.wait().await
        }
        Some("teardown") => {
            let guests = teardown::teardown(&config).await?;
            tracing::info!(guests, "all guests have ended");
            Ok(())
        }
        Some(word) => bail!("{NAME} does not know {word:?}; it knows `teardown`"),
    }
}
