//! What Neutron has and this cloud has not yet: an honest refusal instead of an empty list.

use http::StatusCode;

use crate::http::{Action, Error, Routes};

/// The routes of what is not built yet.
pub(super) fn routes(mut routes: Routes) -> Routes {
    for path in [
        "/routers",
        "/routers/{id}",
        "/subnetpools",
        "/subnetpools/{id}",
        "/address-scopes",
        "/address-groups",
        "/rbac-policies",
        "/trunks",
        "/segments",
        "/qos/policies",
        "/network-ip-availabilities",
        "/network-ip-availabilities/{id}",
        "/default-security-group-rules",
    ] {
        routes = routes
            .get(path, Action::NetworkExtensionsRead, refuse)
            .post(path, Action::NetworkExtensionsRead, refuse)
            .put(path, Action::NetworkExtensionsRead, refuse)
            .delete(path, Action::NetworkExtensionsRead, refuse);
    }
    routes
}

async fn refuse() -> Error {
    Error::new(
        StatusCode::NOT_FOUND,
        "The resource could not be found: this part of the Network API is not built yet. Networks, \
         subnets, ports, security groups with their rules, and floating IPs are.",
    )
}
