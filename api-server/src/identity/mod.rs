//! The Identity API v3: who there is, who may what, and tokens.
//!
//! [`token`] is what a token says, [`keys`] how that is sealed, [`verify`](fn@verify) whether it is still
//! good; [`password`] checks passwords; [`bootstrap`] makes what every cloud begins with. The rest is one
//! file per resource.

pub mod bootstrap;
pub mod keys;
pub mod password;
pub mod token;
mod verify;

pub use keys::Keys;
pub use password::Logins;
pub use verify::verify;

use crate::http::Routes;

/// What it serves.
pub fn routes(routes: Routes) -> Routes {
    routes
}
