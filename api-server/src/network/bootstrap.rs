//! The first network, made when the cloud is.

use skybus_store::{
    identity::{domains, projects},
    networks::bootstrap::{FlatNetwork, ensure_flat},
};

use crate::{app::App, http::Error};

/// Makes the shared network of the configuration, unless it was made before.
///
/// # Errors
/// 400 when the configured range gives no network; 500 when the database fails.
pub async fn ensure(app: &App) -> Result<(), Error> {
    let config = &app.config.bootstrap;
    // Without name servers of its own, a guest is answered by its host's.
    let flat = FlatNetwork::first_of(config.fixed_range, config.network_size, Vec::new())
        .map_err(|bad| Error::bad_request(format!("the configuration's [bootstrap]: {bad}")))?;
    let admin = projects::by_name(app.store.pool(), domains::DEFAULT, "admin")
        .await?
        .ok_or_else(|| Error::internal("the project admin is made before its network"))?;
    let mut tx = app.store.begin().await?;
    let network = ensure_flat(&mut tx, admin.id, &flat).await?;
    tx.commit().await?;
    tracing::debug!(network = %network.id, cidr = %flat.cidr, "the first network is there");
    Ok(())
}
