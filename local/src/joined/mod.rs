//! A machine that joins a cloud which runs elsewhere: `skybus join TOKEN`.
//!
//! Each step can be done again after a death at any point, by the same command: the machine first writes down a
//! key of its own ([`host`]), then exchanges the token for what it needs ([`exchange`]), writes that down, and
//! only then writes configurations ([`config`]) and starts the supervisor, which does for it what it does for a
//! whole cloud ([`start`]). Without a token the command starts again what has joined already. [`standing`] notices that
//! the machine was removed.

pub mod config;
pub mod exchange;
pub mod host;
pub mod join;
pub mod standing;
pub mod start;
pub mod status;

pub use host::Host;
pub use join::{Join, run};
