//! Servers: from the request to the rows, and from the rows to what is shown.
//!
//! A boot is read in [`request`], looked up in [`plan`] and written in [`create`]. Everything that later
//! changes a server goes through [`change`]. [`view`] is the one place that knows how a server looks.

pub(crate) mod actions;
pub(crate) mod beside;
pub(crate) mod change;
pub(crate) mod console;
pub(crate) mod create;
pub(crate) mod find;
pub(crate) mod groups;
pub(crate) mod history;
pub(crate) mod hostname;
pub(crate) mod interfaces;
pub(crate) mod list;
pub(crate) mod metadata;
mod plan;
pub(crate) mod plug;
pub(super) mod query;
pub(super) mod request;
pub(crate) mod show;
mod unnamed;
mod view;

pub(crate) use view::Lens;
