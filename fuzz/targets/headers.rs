//! Headers and queries that are read by hand: the Compute API's version, ranges, signed paths.

#![no_main]

use std::{sync::LazyLock, time::Duration};

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use skybus_api::{
    fuzzing::{range, version},
    http::{
        Microversion,
        microversion::{MAX, MIN},
    },
};
use skybus_store::signed_path::PathKey;

static KEY: LazyLock<PathKey> =
    LazyLock::new(|| PathKey::from_hex(&"ab".repeat(32)).expect("a key"));

fn versions(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for (at, line) in bytes.split(|byte| *byte == b'\n').take(4).enumerate() {
        let name = ["openstack-api-version", "x-openstack-nova-api-version"][at % 2];
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(name, value);
        }
    }
    if let Ok(asked) = version(&headers) {
        assert!((MIN..=MAX).contains(&asked));
        let again: Microversion = asked.to_string().parse().expect("its own text");
        assert_eq!(again, asked);
    }
}

fn ranges(size: u64, text: &str) {
    match range(text, size) {
        None => assert!(text.starts_with("bytes=")),
        Some((0, 0)) => {}
        Some((from, to)) => assert!(from <= to && to < size, "{from}-{to} of {size}"),
    }
}

fn paths(expires: u64, text: &str) {
    let (path, signature) = text.split_once('?').unwrap_or((text, ""));
    assert!(
        KEY.verify(path, expires, signature).is_err(),
        "a path was forged"
    );
    let signed = KEY.sign(path, Duration::from_secs(600));
    let (_, query) = signed.rsplit_once("?expires=").expect("as it is made");
    let (until, good) = query.split_once("&signature=").expect("as it is made");
    let until: u64 = until.parse().expect("a number");
    assert_eq!(KEY.verify(path, until, good), Ok(()));
    assert!(until == expires || KEY.verify(path, expires, good).is_err());
}

fuzz_target!(|bytes: &[u8]| {
    versions(bytes);
    let Some((number, rest)) = bytes.split_first_chunk::<8>() else {
        return;
    };
    if let Ok(text) = std::str::from_utf8(rest) {
        let number = u64::from_le_bytes(*number);
        ranges(number, text);
        paths(number, text);
    }
});
