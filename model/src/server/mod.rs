//! A server: its state machine, and what a host needs to know in order to run it.
//!
//! [`state`] has the words, [`transition`] the allowed changes (all of them, in one place), [`spec`] what
//! travels to the host.

pub mod spec;
pub mod state;
pub mod transition;

pub use spec::{Desired, ImageSource, MOST_INTERFACES, Nic, Restart, ServerSpec};
pub use state::{Power, ServerState, Task, VmState};
pub use transition::{Conflict, Request};
