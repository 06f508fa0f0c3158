//! What all the APIs share: the way a request takes from the socket to a handler and back.
//!
//! On the way in: [`request_id`] names the request, [`shed`] refuses it when too many run, [`shape`]
//! makes sure that whatever goes wrong is said in the words of the API that was asked, [`microversion`]
//! settles the Compute API's version, [`guard`] finds out who asks ([`auth`]) and whether they may
//! ([`policy`]), [`idempotency`] answers a repeated POST from memory. A handler then reads its input
//! with [`Json`] ([`body`] waits for it), [`Path`], [`Query`] or [`Params`] and cuts its lists with [`Page`].
//! [`route`] is how an API says what it serves, [`router`] puts the APIs together, [`versions`]
//! answers the question which there are.

pub mod auth;
pub mod body;
pub mod error;
mod from_store;
pub mod guard;
pub mod idempotency;
pub mod input;
pub mod json;
pub mod microversion;
pub mod page;
pub mod policy;
pub mod request_id;
pub mod route;
pub mod router;
pub mod shape;
pub mod shed;
pub mod versions;

pub use auth::Auth;
pub use error::Error;
pub use idempotency::Once;
pub use input::{Params, Path, Query};
pub use json::Json;
pub use microversion::Microversion;
pub use page::{Page, Way};
pub use policy::{Action, Rule};
pub use request_id::RequestContext;
pub use route::{Route, Routes};
pub use shape::Api;

#[cfg(test)]
mod tests;
