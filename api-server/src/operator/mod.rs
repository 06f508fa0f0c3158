//! The operator's own API and the signed internal paths.

use crate::http::Routes;

/// What it serves.
pub fn routes(routes: Routes) -> Routes {
    routes
}
