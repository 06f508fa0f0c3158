//! The bus against a real RabbitMQ. One program, so that most tests share one broker.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should say where"
)]

mod calls;
mod delivery;
mod flood;
mod herd;
mod limits;
mod machine;
mod outage;
mod relay;
mod renewals;
mod rights;
mod stage;
mod subscriber;
