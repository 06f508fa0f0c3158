//! Accepted commands as the journal keeps them.

use skybus_bus::journal::{Journal, Work};
use skybus_model::{
    HostName,
    id::NetworkId,
    message::{
        Message,
        command::{PortEnsure, PortRemove},
    },
    server::spec,
};

use crate::decision::Wish;

/// The namespaces of networks whose commands wait: something of them may have been made already.
///
/// # Errors
/// When the journal cannot be read.
pub async fn in_work(journal: &Journal) -> Result<Vec<String>, skybus_bus::journal::Error> {
    let waiting = journal.unfinished().await?;
    let networks = waiting.iter().filter_map(|work| Some(read(work)?.1));
    Ok(networks.map(spec::namespace).collect())
}

/// The host, network and wish of an accepted command.
pub(super) fn read(work: &Work) -> Option<(HostName, NetworkId, Wish)> {
    let delivery = work.delivery();
    let host = delivery.host()?.parse().ok()?;
    let wish = match delivery.name() {
        PortEnsure::NAME => Wish::Ensure(Box::new(delivery.decode().ok()?)),
        PortRemove::NAME => Wish::Remove(delivery.decode().ok()?),
        _ => return None,
    };
    let network = match &wish {
        Wish::Ensure(ensure) => ensure.spec.network.id,
        Wish::Remove(remove) => remove.network,
    };
    Some((host, network, wish))
}
