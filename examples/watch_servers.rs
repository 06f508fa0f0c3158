//! Prints each change of a server's state. `skybus bus subscriber add NAME` tells the two variables:
//! `SKYBUS_URL` (an address with a password, so never an argument) and `SKYBUS_QUEUE`.
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use futures::StreamExt;
use lapin::{Connection, ConnectionProperties, options::*, types::FieldTable};
use serde_json::Value;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (url, queue) = (std::env::var("SKYBUS_URL")?, std::env::var("SKYBUS_QUEUE")?);
    let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.basic_qos(100, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let mut messages = channel
        .basic_consume(
            queue.into(),
            "watch-servers".into(),
            options,
            FieldTable::default(),
        )
        .await?;
    while let Some(message) = messages.next().await {
        let message = message?;
        let is_report = message
            .properties
            .kind()
            .as_ref()
            .is_some_and(|k| k.as_str() == "server.report/1");
        // What cannot be read is passed over: one bad message must not stop a subscriber.
        if is_report && let Ok(report) = serde_json::from_slice::<Value>(&message.data) {
            println!(
                "{} on {}: {}",
                report["server"], report["host"], report["power"]
            );
        }
        message.ack(BasicAckOptions::default()).await?;
    }
    anyhow::bail!("the queue is gone; was the subscriber removed?")
}
