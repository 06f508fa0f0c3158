//! The few things that need the kernel's own calls: entering a network namespace, opening a tap in
//! one, opening sockets in one, and speaking ARP. It is the only crate that may hold `unsafe`, and holds as
//! little as it can: the two ioctls of a tap, the address of an interface, and leaving for a fresh namespace.
//!
//! Everything here blocks for some microseconds (a thread is started and joined); asynchronous callers
//! wrap it in their runtime's blocking pool.

pub mod arp;
pub mod namespace;
pub mod process;
pub mod socket;
pub mod tap;
