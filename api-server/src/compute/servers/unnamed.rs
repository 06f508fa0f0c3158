//! Where a boot goes that names no network: to the project's own network; else to the first that waits for its
//! first use, which is the project's own from then on; else to the one that is shared with all.

use skybus_model::id::{NetworkId, ProjectId};
use skybus_store::{
    Store, Tx,
    networks::first_use::{self, Choice},
};

use super::request::Interface;
use crate::http::Error;

/// Where it goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum To {
    /// To these: one network, or none.
    These(Vec<Interface>),
    /// To a network that waits, if it still does when its turn comes.
    Waiting,
}

/// Where a boot of `project` goes, as far as that is known before its transaction.
pub(super) async fn to(store: &Store, project: ProjectId) -> Result<To, Error> {
    chosen(&first_use::choice(store.pool(), project).await?)
}

/// Takes a network that waits. Another boot of the project may have taken one meanwhile, or those of others
/// the last. Quota is locked before subnets, as everywhere, so it has been taken.
pub(super) async fn take(tx: &mut Tx, project: ProjectId) -> Result<Vec<Interface>, Error> {
    first_use::one_at_a_time(tx, project).await?;
    let mut choice = first_use::choice(tx.conn(), project).await?;
    if let To::These(interfaces) = chosen(&choice)? {
        return Ok(interfaces);
    }
    if let Some(taken) = first_use::take(tx, project).await? {
        return Ok(vec![Interface::On(taken, None)]);
    }
    choice.waiting = false;
    match chosen(&choice)? {
        To::These(interfaces) => Ok(interfaces),
        To::Waiting => Err(Error::internal("no network waits, and one does")),
    }
}

fn chosen(choice: &Choice) -> Result<To, Error> {
    match (choice.own.as_slice(), choice.waiting) {
        ([], true) => Ok(To::Waiting),
        ([], false) => one_of(&choice.shared),
        (own, _) => one_of(own),
    }
}

fn one_of(networks: &[NetworkId]) -> Result<To, Error> {
    match networks {
        [] => Ok(To::These(Vec::new())),
        [one] => Ok(To::These(vec![Interface::On(*one, None)])),
        _ => Err(Error::conflict(
            "Multiple possible networks found, use a Network ID to be more specific.",
        )),
    }
}
