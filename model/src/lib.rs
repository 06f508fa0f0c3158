//! The words that every part of skybus shares: typed ids, the clock, resources with their state
//! machines, and the messages that travel between the services.
//!
//! This crate does nothing: it opens no socket and no file. A newcomer reads [`server`] for the life
//! of a server, [`operation`] for how a request is remembered until it is done, and [`message`] for
//! what the services say to each other. What is *not* here: how a message is carried (`skybus-bus`)
//! and how a row is kept (`skybus-store`).

pub mod clock;
pub mod fault;
pub mod host;
pub mod id;
pub mod image;
pub mod join;
pub mod machine;
pub mod message;
pub mod network;
pub mod operation;
pub mod order;
pub mod segment;
pub mod server;
pub mod text;
pub mod time;

pub use fault::{Fault, FaultCode};
pub use host::HostName;
pub use order::{Generation, Order};
pub use time::Timestamp;
