//! The metadata service, as guests ask it.

use crate::http::Routes;

/// What it serves.
pub fn routes(routes: Routes) -> Routes {
    routes
}

/// What it serves to hosts, by signed address.
pub fn internal(routes: Routes) -> Routes {
    routes
}
