//! What a guest asks about itself, in both dialects, and the same as the content of a config drive.
//!
//! A guest has no token. It is known by the network and the address that it asks from ([`guest`]): the
//! filter on its host lets it use no other address, and the network worker signs that it was asked.
//! [`facts`] is what there is to know, [`ec2`] and [`openstack`] how each dialect says it.

mod config_drive;
mod ec2;
mod facts;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod guest;
mod openstack;
#[cfg(test)]
mod tests;

use crate::http::{Action, Routes};

/// What it serves to network workers, on behalf of guests.
pub fn routes(routes: Routes) -> Routes {
    routes
        .get("/", Action::Signed, guest::answer)
        .get("/{*path}", Action::Signed, guest::answer)
}

/// What it serves to hosts, by signed address; and the guests' root, which nesting leaves out.
pub fn internal(routes: Routes) -> Routes {
    routes.get("/metadata/", Action::Signed, guest::answer).get(
        "/internal/config-drive/{server}",
        Action::Signed,
        config_drive::show,
    )
}
