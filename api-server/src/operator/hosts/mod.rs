//! The machines of this cloud: invited, joined, drained, removed.
//!
//! [`mod@add`] invites one, [`mod@join`] is what the machine itself asks, without a user's token, [`mod@list`]
//! shows them, [`mod@plan`] what a network worker would change on its host, [`mod@drain`] keeps new servers away, [`mod@remove`] takes one away. What the broker holds
//! follows from a machine's row: [`broker`] makes it so, for whoever has changed the row, and again by
//! [`sweep`] when that one died in between.

mod account_key;
mod add;
mod attempts;
mod broker;
mod drain;
mod join;
mod list;
mod plan;
mod remove;
pub mod sweep;
#[cfg(test)]
mod tests;

pub use attempts::Attempts;

use skybus_model::HostName;

use crate::http::{Action, Error, Routes};

/// What is served of it.
pub(super) fn routes(routes: Routes) -> Routes {
    let one = "/skybus/v1/hosts/{name}";
    routes
        .get("/skybus/v1/hosts", Action::Operate, list::list)
        // Not POST: what is answered is a secret, and answers to POST are kept for a repetition.
        .put(one, Action::Operate, add::add)
        .delete(one, Action::Operate, remove::remove)
        .post(
            "/skybus/v1/hosts/{name}/drain",
            Action::Operate,
            drain::drain,
        )
        .get(
            "/skybus/v1/hosts/{name}/network-plan",
            Action::Operate,
            plan::plan,
        )
        .post("/skybus/v1/join", Action::Join, join::join)
        .post("/skybus/v1/join/standing", Action::Join, join::standing)
}

/// A name in a path; what cannot be one names nothing.
fn known(name: &str) -> Result<HostName, Error> {
    name.parse().map_err(|_| Error::not_found("host", name))
}
