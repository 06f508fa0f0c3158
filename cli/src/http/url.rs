//! Addresses: joining, encoding, and the version that an endpoint of the catalog may or may not have.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A word as it may stand in a path or a query.
pub(crate) fn encode(word: &str) -> String {
    // A path segment of dots alone would be resolved away by whatever stands between.
    if !word.is_empty() && word.bytes().all(|b| b == b'.') {
        return "%2E".repeat(word.len());
    }
    utf8_percent_encode(word, KEPT).to_string()
}

/// A path with a query; parameters without a value are left out.
pub(crate) fn with_query(path: &str, query: &[(&str, Option<&str>)]) -> String {
    let pairs: Vec<String> = query
        .iter()
        .filter_map(|(k, v)| v.map(|v| format!("{}={}", encode(k), encode(v))))
        .collect();
    if pairs.is_empty() {
        return path.to_owned();
    }
    let joint = if path.contains('?') { '&' } else { '?' };
    format!("{path}{joint}{}", pairs.join("&"))
}

/// An endpoint with its version: catalogs have some services with it and some without.
pub(crate) fn versioned(endpoint: &str, version: &str) -> String {
    let bare = endpoint.trim_end_matches('/');
    let path = bare.splitn(4, '/').nth(3).unwrap_or_default();
    if path.split('/').any(is_version) {
        bare.to_owned()
    } else {
        format!("{bare}/{version}")
    }
}

fn is_version(segment: &str) -> bool {
    segment
        .strip_prefix('v')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_change_the_path() {
        assert_eq!(encode("../x?y=1&z#%"), "..%2Fx%3Fy%3D1%26z%23%25");
        assert_eq!(encode(".."), "%2E%2E");
        assert_eq!(encode("vm-1.a_b"), "vm-1.a_b");
    }

    #[test]
    fn versions_are_added_once() {
        assert_eq!(versioned("http://c:1/image", "v2"), "http://c:1/image/v2");
        assert_eq!(
            versioned("http://c:1/compute/v2.1/", "v2.1"),
            "http://c:1/compute/v2.1"
        );
        assert_eq!(
            versioned("http://c:1/compute/v2/abc", "v2.1"),
            "http://c:1/compute/v2/abc"
        );
        assert_eq!(versioned("http://v1.example", "v3"), "http://v1.example/v3");
    }

    #[test]
    fn queries_leave_out_what_was_not_asked() {
        let query = [
            ("limit", Some("5")),
            ("status", None),
            ("name", Some("a b")),
        ];
        assert_eq!(
            with_query("/servers", &query),
            "/servers?limit=5&name=a%20b"
        );
        assert_eq!(with_query("/servers", &[]), "/servers");
        assert_eq!(with_query("/s?a=1", &[("b", Some("2"))]), "/s?a=1&b=2");
    }
}
