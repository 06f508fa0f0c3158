//! The scheduler: finds a host for each server that is to be booted.
//!
//! Every process keeps the whole [`fleet`] in memory, from heartbeats; [`filters`] say which hosts cannot
//! take a server and why, [`weighers`] put the others in order, and [`place`] claims the best one that is
//! still free, in one transaction with the commands to that host. Any number of schedulers run side by
//! side: the claim is a compare-and-set in the database, so memory may be stale without harm.

pub mod config;
pub mod filters;
pub mod fleet;
pub mod place;
pub mod registry;
pub mod weighers;
