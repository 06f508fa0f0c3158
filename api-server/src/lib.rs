//! The APIs of skybus: identity, compute, image, network, metadata and the operator's own.
//!
//! [`http`] is the way that every request takes; each API is a folder of its own beside it. [`app`] is
//! what handlers share, [`config`] the file that a process starts from.

pub mod app;
pub mod compute;
pub mod config;
pub mod engine;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod http;
pub mod identity;
pub mod image;
pub mod metadata;
pub mod network;
pub mod operator;
#[cfg(test)]
mod tenants;
#[cfg(test)]
pub(crate) mod testing;
