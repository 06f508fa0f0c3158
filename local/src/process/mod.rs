//! Processes that outlive whoever started them: who they are, how they are started, watched and ended.
//!
//! A process is known by its number and the moment it started, because numbers are used again; it is
//! watched and signalled through a descriptor of the kernel's (pidfd), which can never come to mean
//! another process. That works for children and for adopted ones alike.

pub mod identity;
pub mod spawn;
pub mod watch;

pub use identity::ProcessId;
pub use spawn::Spec;
pub use watch::Watched;
