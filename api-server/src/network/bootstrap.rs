//! The first networks, made when the cloud is.

use ipnet::Ipv4Net;
use skybus_store::{
    identity::{domains, projects},
    networks::bootstrap::{FlatNetwork, PublicNetwork, ensure_flat, ensure_public},
};

use crate::{app::App, http::Error};

/// Makes the shared network and the external one of the configuration, unless they were made before.
///
/// # Errors
/// 400 when a configured range gives no network; 500 when the database fails.
pub async fn ensure(app: &App) -> Result<(), Error> {
    let config = &app.config.bootstrap;
    // Without name servers of its own, a guest is answered by its host's.
    let flat = FlatNetwork::first_of(config.fixed_range, config.network_size, Vec::new())
        .map_err(refused)?
        .carried_by(config.flat_segment.0.clone());
    let public = PublicNetwork::of(config.floating_range).map_err(refused)?;
    let admin = projects::by_name(app.store.pool(), domains::DEFAULT, "admin")
        .await?
        .ok_or_else(|| Error::internal("the project admin is made before its network"))?;
    let mut tx = app.store.begin().await?;
    let network = ensure_flat(&mut tx, admin.id, &flat).await?;
    if overlap(&flat.cidr, &public.cidr) {
        // A cloud that is older than floating IPs may be so, and goes on without them.
        tracing::warn!(
            "there is no external network, and so no floating IPs: the configuration's floating_range {} \
             overlaps the first network, {}",
            public.cidr,
            flat.cidr
        );
    } else {
        let outside = ensure_public(&mut tx, admin.id, &public).await?;
        tracing::debug!(network = %outside.id, cidr = %public.cidr, "the external network is there");
    }
    tx.commit().await?;
    tracing::debug!(network = %network.id, cidr = %flat.cidr, "the first network is there");
    Ok(())
}

fn refused(bad: impl std::fmt::Display) -> Error {
    Error::bad_request(format!("the configuration's [bootstrap]: {bad}"))
}

fn overlap(one: &Ipv4Net, other: &Ipv4Net) -> bool {
    one.contains(other) || other.contains(one)
}
