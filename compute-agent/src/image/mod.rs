//! Images on a host: fetched once, proved to be what the catalogue says, and shared by every disk that
//! is a copy-on-write child of them. What is *not* here: the disks themselves ([`crate::qemu::disk`]).

pub mod cache;
pub mod content;
pub mod fetch;

pub use cache::Cache;
