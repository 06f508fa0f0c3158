//! The compute worker: makes the servers of a host be as the control plane wants them, and tells what
//! they do.
//!
//! [`agent`] decides and reports, from a journal that survives any death; [`driver`] is the trait behind
//! which machines are run; [`qemu`] runs real ones and [`driver::fake`] plays whole hosts; [`image`]
//! keeps images. What is *not* here: placing servers, making networks, and every database.

pub mod agent;
pub mod config;
pub mod console;
pub mod driver;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod image;
pub mod qemu;
pub mod service;
pub mod teardown;
