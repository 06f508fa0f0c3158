//! Images: what is known of them. Their bytes are files, which the API servers keep.
//!
//! An image's bytes arrive once. While they do, the row names the upload and when it last showed that it
//! is alive, so that what a dead process left behind is found and undone ([`upload`]). What is *not*
//! here: the files, and what is in them.

pub mod find;
pub mod members;
mod row;
#[cfg(test)]
mod tests;
pub mod upload;
pub mod write;

pub use crate::networks::Scope;
pub use find::{get, list};
pub use row::Image;
pub use write::{NewImage, create, delete, update};
