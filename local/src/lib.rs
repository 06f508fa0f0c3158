//! The all-in-one: a whole cloud on one machine, with a broker of its own, started by one command.
//!
//! `skybus-up` looks at the host ([`preflight`]), makes or reads what the cloud remembers of itself
//! ([`cloud`], in its [`data_dir`]) and starts `skybus-supervisor`. That one runs the [`broker`] and one
//! process per role ([`roles`]), and starts again what dies ([`supervisor`]). What runs is written to a
//! [`state`] file after each change, so that `skybus-status` and `skybus-down` need nobody's help, and so
//! that a new supervisor adopts what an old one left. [`joined`] is the same for a machine
//! that joins a cloud which runs elsewhere. *Not* here: anything that a cloud of several
//! machines needs too; the roles know nothing of this crate.

pub mod broker;
pub mod cloud;
pub mod credentials;
pub mod data_dir;
pub mod down;
pub mod error;
pub mod joined;
pub mod options;
pub mod ports;
pub mod preflight;
pub mod process;
pub mod progress;
pub mod roles;
pub mod secret;
pub mod state;
pub mod status;
pub mod supervisor;
pub mod terminal;
pub mod up;

pub use data_dir::DataDir;
pub use error::Error;
