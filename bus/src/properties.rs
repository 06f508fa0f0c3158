//! How a message's envelope is written into AMQP properties, and read from them.
//!
//! `message_id`, `type`, `content_type`, `delivery_mode`, `timestamp`, `app_id`; the headers
//! `traceparent` and `request-id`; and for calls `reply_to`, `correlation_id` and `expiration`.

use std::time::Duration;

use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, ShortString},
};
use skybus_model::{
    Timestamp,
    id::MessageId,
    message::{Context, Outgoing},
};

use crate::Delivery;

const TRACEPARENT: &str = "traceparent";
const REQUEST_ID: &str = "request-id";

/// A short string; what is too long for AMQP is cut, which no name of ours ever is.
pub(crate) fn short(text: &str) -> ShortString {
    let end = (0..=text.len().min(255))
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    ShortString::from(&text[..end])
}

/// The properties of a message that must not be lost.
pub(crate) fn of(message: &Outgoing, sender: &str) -> BasicProperties {
    envelope(message.id, &message.kind, &message.context, sender)
        .with_timestamp(message.at.seconds())
        .with_delivery_mode(2)
}

/// The properties of a message that may be lost: it is never written to a disk.
pub(crate) fn envelope(
    id: MessageId,
    kind: &str,
    context: &Context,
    sender: &str,
) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (name, value) in [
        (TRACEPARENT, &context.traceparent),
        (REQUEST_ID, &context.request_id),
    ] {
        headers.insert(name.into(), AMQPValue::LongString(value.as_str().into()));
    }
    BasicProperties::default()
        .with_message_id(short(&id.to_string()))
        .with_type(short(kind))
        .with_content_type("application/json".into())
        .with_app_id(short(sender))
        .with_timestamp(Timestamp::now().seconds())
        .with_delivery_mode(1)
        .with_headers(headers)
}

/// The same, for a call or its answer, which expire with the caller's patience.
pub(crate) fn for_call(
    base: BasicProperties,
    correlation: &str,
    reply_to: Option<&str>,
    patience: Duration,
) -> BasicProperties {
    let properties = base
        .with_correlation_id(short(correlation))
        .with_expiration(short(&patience.as_millis().max(1).to_string()));
    match reply_to {
        Some(caller) => properties.with_reply_to(short(caller)),
        None => properties,
    }
}

/// A header's text.
pub(crate) fn header(properties: &BasicProperties, name: &str) -> Option<String> {
    match properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

/// A header's number.
pub(crate) fn number(properties: &BasicProperties, name: &str) -> Option<i64> {
    match properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongLongInt(n) => Some(*n),
        AMQPValue::LongInt(n) => Some(i64::from(*n)),
        AMQPValue::LongUInt(n) => Some(i64::from(*n)),
        AMQPValue::ShortInt(n) => Some(i64::from(*n)),
        AMQPValue::ShortUInt(n) => Some(i64::from(*n)),
        AMQPValue::ShortShortInt(n) => Some(i64::from(*n)),
        AMQPValue::ShortShortUInt(n) => Some(i64::from(*n)),
        AMQPValue::Timestamp(n) => i64::try_from(*n).ok(),
        _ => None,
    }
}

/// What a message is, or why it cannot be one of ours.
pub(crate) fn read(
    properties: &BasicProperties,
    routing_key: &str,
    redelivered: bool,
    body: Vec<u8>,
) -> Result<Delivery, &'static str> {
    let id = properties
        .message_id()
        .as_ref()
        .and_then(|id| id.as_str().parse().ok())
        .ok_or("it has no message_id that is a UUID")?;
    let kind = properties
        .kind()
        .as_ref()
        .ok_or("it has no type")?
        .to_string();
    // A sender that does not trace, or not as it should, is no reason to refuse its message: the trace begins here.
    let begun = Context::begin();
    Ok(Delivery {
        id,
        kind,
        routing_key: routing_key.to_owned(),
        body,
        context: Context {
            request_id: header(properties, REQUEST_ID)
                .filter(|text| Context::is_request_id(text))
                .unwrap_or(begun.request_id),
            traceparent: header(properties, TRACEPARENT)
                .filter(|text| Context::is_trace(text))
                .unwrap_or(begun.traceparent),
        },
        at: seconds(properties.timestamp().unwrap_or(0)),
        redelivered,
        attempts: number(properties, "x-delivery-count")
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(0),
        reply_to: properties.reply_to().as_ref().map(ToString::to_string),
        correlation: properties
            .correlation_id()
            .as_ref()
            .map(ToString::to_string),
    })
}

fn seconds(since_1970: u64) -> Timestamp {
    Timestamp(
        i64::try_from(since_1970)
            .unwrap_or(0)
            .saturating_mul(1_000_000),
    )
}

#[cfg(test)]
mod tests {
    use skybus_model::{message::Outgoing, message::command::ServerPlace};

    use super::*;

    #[test]
    fn an_envelope_is_read_as_it_was_written() {
        let place = ServerPlace {
            operation: skybus_model::id::OperationId::random(),
            server: skybus_model::id::ServerId::random(),
        };
        let message = Outgoing::to_any(&place, &Context::begin());
        let read = read(
            &of(&message, "api@a"),
            &message.routing_key,
            false,
            message.body.clone(),
        )
        .unwrap();
        assert_eq!(
            (read.id, read.kind.as_str()),
            (message.id, "server.place/1")
        );
        assert_eq!(read.context, message.context);
        assert_eq!(read.decode::<ServerPlace>().unwrap(), place);
    }

    #[test]
    fn what_is_not_ours_is_refused_with_a_reason() {
        assert!(read(&BasicProperties::default(), "x", false, vec![]).is_err());
        let nameless = BasicProperties::default().with_message_id("not-a-uuid".into());
        assert!(read(&nameless, "x", false, vec![]).is_err());
    }

    #[test]
    fn a_trace_that_is_none_is_not_carried_on() {
        let place = ServerPlace {
            operation: skybus_model::id::OperationId::random(),
            server: skybus_model::id::ServerId::random(),
        };
        let mut message = Outgoing::to_any(&place, &Context::begin());
        message.context = Context {
            request_id: "req-\0\n".to_owned(),
            traceparent: "x".repeat(100_000),
        };
        let read = read(&of(&message, "api@a"), "x", false, vec![]).unwrap();
        assert!(Context::is_trace(&read.context.traceparent));
        assert!(Context::is_request_id(&read.context.request_id));
    }

    #[test]
    fn too_long_a_text_is_cut_at_a_character() {
        assert_eq!(short(&"ö".repeat(200)).as_str().len(), 254);
    }
}
