//! A message as it comes from the broker: properties in AMQP's encoding, a routing key, a body. What is
//! read is bounded and means the same when it is written and read again.

#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use skybus_bus::{
    Delivery,
    fuzzing::{delivery, short},
};
use skybus_model::{
    HostName,
    message::{
        Message,
        call::{ConsoleAnswer, ConsoleTail, NetworkPlan, PlanAnswer},
        command::{PortEnsure, PortRemove, ServerEnsure, ServerPlace, ServerRemove},
        event::{ComputeInventory, NetworkInventory, PortReport, ServerReport},
        heartbeat::HostBeat,
        type_of,
    },
};

/// Reads the body as a message of this type, whatever the envelope says it is.
fn body<M: Message + PartialEq>(mut delivery: Delivery) {
    delivery.kind = type_of::<M>();
    if let Ok(message) = delivery.decode::<M>() {
        delivery.body = serde_json::to_vec(&message).expect("a message can be written");
        assert!(!delivery.body.contains(&0));
        same(
            &message,
            &delivery.decode::<M>().expect("it can be read again"),
        );
    }
}

fn same<T: PartialEq + Debug>(one: &T, other: &T) {
    assert_eq!(one, other);
}

fn bodies(delivery: &Delivery) {
    body::<ServerPlace>(delivery.clone());
    body::<ServerEnsure>(delivery.clone());
    body::<ServerRemove>(delivery.clone());
    body::<PortEnsure>(delivery.clone());
    body::<PortRemove>(delivery.clone());
    body::<ServerReport>(delivery.clone());
    body::<PortReport>(delivery.clone());
    body::<ComputeInventory>(delivery.clone());
    body::<NetworkInventory>(delivery.clone());
    body::<HostBeat>(delivery.clone());
    body::<ConsoleTail>(delivery.clone());
    body::<NetworkPlan>(delivery.clone());
    let _ = serde_json::from_slice::<ConsoleAnswer>(&delivery.body);
    let _ = serde_json::from_slice::<PlanAnswer>(&delivery.body);
    let mut beat = delivery.clone();
    beat.kind = type_of::<HostBeat>();
    if let Ok(beat) = beat.decode::<HostBeat>() {
        // The database multiplies by the ratios, in 64 bits.
        for number in [
            beat.capacity.vcpus,
            beat.capacity.ram_mib,
            beat.capacity.disk_gib,
        ] {
            assert!(number.checked_mul(1_000_000).is_some(), "{number} is taken");
        }
    }
}

fn envelope(delivery: &Delivery) {
    let _ = (delivery.age(), delivery.at.iso_micros(), delivery.name());
    let context = &delivery.context;
    for text in [&context.traceparent, &context.request_id] {
        assert!(
            text.len() <= 64 && text.bytes().all(|b| b.is_ascii_graphic()),
            "{text:?}"
        );
    }
    assert_eq!(context.hop().traceparent.len(), 55);
    if let Some(host) = delivery.host() {
        let _ = host.parse::<HostName>();
    }
    // As it is, under its own name.
    let _ = delivery.decode::<ServerReport>();
    let _ = delivery.decode::<ServerEnsure>();
}

fuzz_target!(|bytes: &[u8]| {
    // One byte says where the properties end; the rest is the body.
    let Some((at, rest)) = bytes.split_first() else {
        return;
    };
    let (properties, body) = rest.split_at(usize::from(*at).min(rest.len()));
    if let Some(Ok(delivery)) = delivery(properties, "compute.node-1.server.report", body) {
        envelope(&delivery);
        bodies(&delivery);
    }
    if let Ok(text) = std::str::from_utf8(body) {
        let cut = short(text);
        assert!(cut.len() <= 255 && text.starts_with(&cut));
    }
});
