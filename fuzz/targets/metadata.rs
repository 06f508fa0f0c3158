//! A guest's request for metadata, from its path to the answer: no path leaves the metadata, and none is
//! answered with the administrator's password.

#![no_main]

use std::sync::LazyLock;

use http::{HeaderMap, HeaderValue, Uri};
use libfuzzer_sys::fuzz_target;
use skybus_api::fuzzing::{PASSWORD, Sample, vouched};
use skybus_network::{fuzzing::forwarded, metadata::Upstream};

static UPSTREAM: LazyLock<Upstream> =
    LazyLock::new(|| Upstream::new("http://127.0.0.1:8774", "secret").expect("an address"));
static SAMPLE: LazyLock<Sample> = LazyLock::new(Sample::default);

const ROOT: &str = "/metadata/";

fn ask(path: &str) {
    let Some(url) = forwarded(&UPSTREAM, path) else {
        return;
    };
    assert_eq!(url.host_str(), Some("127.0.0.1"));
    assert_eq!(url.port(), Some(8774));
    assert!(url.path().starts_with(ROOT), "{path:?} leaves for {url}");
    // What goes over the wire is read again by the API, which must find itself in the same place.
    let wire: Uri = url.as_str().parse().expect("an address that can be sent");
    let path = wire
        .path()
        .strip_prefix("/metadata")
        .expect("below the root");
    if let Some((kind, text)) = SAMPLE.at(path) {
        assert!(kind.contains('/') && text.len() < 64 << 10);
        let secret = PASSWORD.as_bytes();
        assert!(!text.windows(secret.len()).any(|part| part == secret));
    }
}

fuzz_target!(|bytes: &[u8]| {
    // As hyper takes it from the request's first line.
    if let Ok(uri) = Uri::try_from(bytes)
        && let Some(path) = uri.path_and_query()
    {
        ask(path.as_str());
    }
    // And as no server would pass it on.
    if let Ok(path) = std::str::from_utf8(bytes) {
        ask(path);
    }
    // Headers in which a worker would vouch for the guest: unsigned ones are worth nothing.
    let mut headers = HeaderMap::new();
    let names = ["x-skybus-network", "x-skybus-address", "x-skybus-signature"];
    for (name, value) in names.into_iter().zip(bytes.split(|byte| *byte == b'\n')) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.insert(name, value);
        }
    }
    assert!(vouched(b"secret", &headers).is_err(), "a guest was forged");
});
