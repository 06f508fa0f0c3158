//! The database: what the control plane promises to remember, on SQLite or PostgreSQL.
//!
//! One SQL text serves both engines. Columns are TEXT and BIGINT only; rows are mapped by hand, one
//! module per table family. Reads take a [`Store`]; changes take a [`Tx`], so that a change and the
//! messages that it causes ([`outbox`]) are one transaction by construction. What is *not* here: policy,
//! HTTP and the broker.

pub mod announce;
pub mod audit;
pub mod commands;
pub mod compute;
pub mod error;
pub mod events;
pub mod hops;
pub mod hosts;
pub mod identity;
pub mod images;
pub mod lifecycle;
pub mod machines;
pub mod networks;
pub mod operations;
pub mod outbox;
pub mod pool;
pub mod renewals;
pub mod row;
pub mod servers;
pub mod services;
pub mod signed_path;
pub mod strays;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod tx;

pub use error::Error;
pub use pool::{Engine, Store};
pub use tx::Tx;

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;
