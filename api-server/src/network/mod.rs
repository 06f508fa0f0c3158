//! The Network API.

use crate::http::Routes;

/// What it serves.
pub fn routes(routes: Routes) -> Routes {
    routes
}
