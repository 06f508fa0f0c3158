//! Accounts on the broker, made through RabbitMQ's management API.
//!
//! [`rights`] says what each kind of account may do, [`management`] makes it so, [`subscriber`] makes
//! the accounts of people who only listen, [`machine`] those of a machine that joins.

mod address;
pub mod machine;
pub mod management;
pub mod rights;
pub mod subscriber;

pub use management::{Error, Management, QueueState};
pub use rights::{Account, TopicRight};
pub use subscriber::Subscriber;

/// A new password: 192 random bits, in hexadecimal.
#[must_use]
pub fn password() -> String {
    let bytes: [u8; 24] = rand::random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
