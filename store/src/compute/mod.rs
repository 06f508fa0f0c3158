//! What the Compute API keeps besides servers: [`flavors`], [`keypairs`], [`quotas`]; and how servers
//! are listed ([`listing`]).

pub mod flavors;
pub mod keypairs;
pub mod listing;
pub mod quotas;
#[cfg(test)]
mod tests;
