//! Servers: the row that holds what a server should be and what was last heard of it.

mod read;
mod row;
mod write;

pub use read::{get, hosted, living_on};
pub use row::{FlavorSnapshot, ImageBytes, Server, from_row};
pub use write::{count_interfaces, insert, load, save};

#[cfg(test)]
mod tests;
