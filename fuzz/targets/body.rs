//! Bodies of requests that are read by hand: a boot, changes of an image, a subnet, a rule. What is taken
//! keeps its promises, and holds nothing that a database cannot.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use skybus_api::{
    fuzzing::{boot, changes, rule, subnet},
    http::{Microversion, json},
};

/// Whether there is a character anywhere that PostgreSQL cannot hold.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(list) => list.iter().any(has_nul),
        Value::Object(map) => map
            .iter()
            .any(|(key, value)| key.contains('\0') || has_nul(value)),
        _ => false,
    }
}

fn boots(body: &Value, version: u8) {
    let Ok(asked) = boot(body, Microversion(1 + u16::from(version) % 96)) else {
        return;
    };
    assert!(!asked.name.chars().any(char::is_control) && !asked.name.is_empty());
    let (least, most) = asked.counts;
    assert!(1 <= least && least <= most && most <= 1000);
    if let Some(name) = asked.hostname {
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    }
    if let Some(data) = asked.user_data {
        use base64::Engine;
        let engine = base64::engine::general_purpose::STANDARD;
        engine.decode(data).expect("user data that was taken");
    }
}

fn subnets(body: Map<String, Value>) {
    let Ok((cidr, gateway, pools)) = subnet(body) else {
        return;
    };
    assert!(cidr.contains(&gateway) && !pools.is_empty());
    for (at, pool) in pools.iter().enumerate() {
        assert!(pool.start <= pool.end && cidr.contains(&pool.start) && cidr.contains(&pool.end));
        assert!(pool.start > cidr.network() && pool.end < cidr.broadcast());
        assert!(!pool.contains(gateway));
        assert!(!pools[..at].iter().any(|before| before.end >= pool.start));
    }
}

fn rules(body: Map<String, Value>) {
    let Ok(rule) = rule(body) else {
        return;
    };
    for bound in [rule.port_min, rule.port_max].into_iter().flatten() {
        assert!((0..=65535).contains(&bound) && rule.protocol.is_some());
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((version, text)) = bytes.split_first() else {
        return;
    };
    let Ok(body) = json::read::<Value>(text) else {
        return;
    };
    assert!(!has_nul(&body));
    boots(&body, *version);
    for old in [false, true] {
        if let Ok(keys) = changes(&body, old) {
            assert!(
                keys.iter()
                    .all(|key| !key.is_empty() && !key.contains('\0'))
            );
        }
    }
    if let Value::Object(whole) = body {
        subnets(whole.clone());
        rules(whole);
    }
});
