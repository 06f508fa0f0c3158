//! A dead letter as it is shown, and as it is sent again.

use std::hash::{DefaultHasher, Hash, Hasher};

use lapin::{
    message::BasicGetMessage,
    types::{AMQPValue, FieldTable},
};
use serde::Serialize;

use crate::{
    properties::{header, short},
    publisher::Parcel,
};

/// A dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// The message's id, or a word made from its content when it has none.
    pub id: String,
    /// `server.ensure/1`; empty when it has none.
    pub kind: String,
    /// The exchange that it was sent to.
    pub exchange: String,
    /// The key that it was sent with.
    pub routing_key: String,
    /// The queue that gave it up.
    pub queue: String,
    /// Why: `rejected`, `delivery_limit`, `expired`, `maxlen`.
    pub reason: String,
    /// When it died, in seconds since 1970.
    pub at: i64,
    /// The length of its body.
    pub size: usize,
    /// The request that it belongs to; empty when it has none.
    pub request_id: String,
}

pub(super) fn letter(message: &BasicGetMessage) -> DeadLetter {
    let properties = &message.properties;
    let death = first_death(message);
    let word = |name| death.as_ref().and_then(|death| text(death, name));
    let id = properties.message_id().as_ref().map_or_else(
        || {
            let mut hasher = DefaultHasher::new();
            (&message.data, message.routing_key.as_str()).hash(&mut hasher);
            format!("nameless-{:016x}", hasher.finish())
        },
        ToString::to_string,
    );
    DeadLetter {
        id,
        kind: properties
            .kind()
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        exchange: word("exchange").unwrap_or_default(),
        routing_key: message.routing_key.to_string(),
        queue: word("queue").unwrap_or_default(),
        reason: word("reason").unwrap_or_default(),
        at: death.as_ref().and_then(when).unwrap_or(0),
        size: message.data.len(),
        request_id: header(properties, "request-id").unwrap_or_default(),
    }
}

/// The newest entry of `x-death`, which is the broker's own record.
fn first_death(message: &BasicGetMessage) -> Option<FieldTable> {
    match message
        .properties
        .headers()
        .as_ref()?
        .inner()
        .get("x-death")?
    {
        AMQPValue::FieldArray(deaths) => match deaths.as_slice().first()? {
            AMQPValue::FieldTable(death) => Some(death.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn text(death: &FieldTable, name: &str) -> Option<String> {
    match death.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        _ => None,
    }
}

fn when(death: &FieldTable) -> Option<i64> {
    match death.inner().get("time")? {
        AMQPValue::Timestamp(seconds) => i64::try_from(*seconds).ok(),
        _ => None,
    }
}

/// The message as it was first sent: without what the broker wrote into its headers.
pub(super) fn again(
    exchange: &'static str,
    dead: &DeadLetter,
    message: &BasicGetMessage,
) -> Parcel {
    let mut headers = FieldTable::default();
    if let Some(had) = message.properties.headers() {
        for (name, value) in had.inner() {
            if !name.as_str().starts_with("x-") {
                headers.insert(name.clone(), value.clone());
            }
        }
    }
    let mut properties = message
        .properties
        .clone()
        .with_headers(headers)
        .with_delivery_mode(2);
    if properties.message_id().is_none() {
        properties = properties.with_message_id(short(&dead.id));
    }
    Parcel {
        exchange,
        routing_key: dead.routing_key.clone(),
        properties,
        body: message.data.clone(),
    }
}
