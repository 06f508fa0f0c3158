//! The bus: how messages travel between the services, over RabbitMQ.
//!
//! Read [`topology`] first (every exchange, queue and binding), then [`Bus`] (send, consume, call),
//! [`relay`] (how a committed row becomes a confirmed message) and [`journal`] (an agent's durable inbox,
//! outbox and records). [`accounts`] says what each process may do on the broker, [`dead`] is what nobody
//! could handle, [`headless`] mends queues that nobody leads. *Not* here: what a message means; that is `skybus-model`'s.

pub mod accounts;
mod bus;
mod call;
mod canary;
mod consumer;
pub mod dead;
mod delivery;
mod failure;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod headless;
pub mod journal;
mod link;
mod lossy;
mod probe;
mod properties;
mod publisher;
pub mod relay;
mod subscription;
#[cfg(feature = "testing")]
pub mod testing;
pub mod topology;

pub use bus::{Bus, Settings, Timing};
pub use call::CallError;
pub use delivery::{DecodeError, Delivery, Verdict};
pub use failure::Failed;
pub use publisher::SendError;
pub use subscription::Subscription;
