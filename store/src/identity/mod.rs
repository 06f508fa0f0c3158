//! Domains, projects, users, roles and who has which role where; revoked tokens; answered requests.
//!
//! Reads take whatever can run a query (`store.pool()` or `tx.conn()`), so that the same question can be
//! asked inside and outside of a transaction.

pub mod answers;
pub mod assignments;
pub mod domains;
pub mod projects;
pub mod roles;
pub mod tokens;
pub mod users;

pub use assignments::Assignment;
pub use domains::Domain;
pub use projects::Project;
pub use roles::Role;
pub use users::User;
