//! Support for whole-system tests: clouds that are started with the built programs, and the host that
//! they run on.
//!
//! The tests themselves are in `tests/tests`, one file per story. They want the programs to be built
//! (`cargo build --workspace`), and those with real guests want root and the Debian packages that
//! `scripts/packages` names. What is missing is an error that says so; nothing is skipped in silence.

pub mod another;
pub mod api;
pub mod campaign;
pub mod cloud;
pub mod database;
pub mod debian_host;
pub mod disk;
pub mod faults;
pub mod guest;
pub mod host;
pub mod joiner;
pub mod outside;
pub mod programs;
pub mod ran;
pub mod stock;
pub mod truth;
pub mod wait;
