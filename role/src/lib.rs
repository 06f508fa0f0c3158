//! What every process of skybus has: a configuration file, logs, `/healthz` and `/metrics`, supervised
//! tasks and an orderly end.
//!
//! A role's `main` reads: [`config::load`], [`log::start`], [`Role::start`], then it spawns its parts with
//! [`Role::spawn`] and returns [`Role::wait`]. A part that fails ends the process: whoever supervises it
//! starts it afresh, and what it was doing is in its database or journal. There is no half-alive role.

pub mod config;
pub mod health;
pub mod log;
mod role;

pub use health::Health;
pub use role::Role;
