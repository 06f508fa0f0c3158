//! What no text may hold: the character NUL. PostgreSQL has no room for it, C's libraries end at it, and
//! nobody means it; so it is refused where texts come in, in one place for each way.

/// Why a text with NUL is refused.
pub const NUL: &str = "it has the character NUL (\\u0000), which cannot be kept";

/// Whether some text within this JSON has the character NUL. There it can only stand as `\u0000`: as it is,
/// a decoder refuses it.
#[must_use]
pub fn json_has_nul(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        rest = &rest[at + 1..];
        if rest.starts_with(b"u0000") {
            return true;
        }
        // Whatever is escaped begins no escape itself.
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

/// Whether this path or query, still percent-encoded, has the character NUL.
#[must_use]
pub fn address_has_nul(address: &str) -> bool {
    address.contains("%00")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_is_found_and_what_only_looks_like_it_is_not() {
        for (json, found) in [
            (r#"{"a": "b\u0000"}"#, true),
            (r#"{"a\u0000": 1}"#, true),
            (r#""\\\u0000""#, true),
            (r#""\\u0000""#, false),
            (r#""\u00001""#, true),
            (r#""\u0001 u0000 \n""#, false),
            (r#""\"#, false),
            ("", false),
        ] {
            assert_eq!(json_has_nul(json.as_bytes()), found, "{json}");
        }
    }

    #[test]
    fn every_text_with_nul_is_found() {
        for text in ["\0", "a\0b", "\\\0", "\"\0", "\u{1f600}\0"] {
            assert!(json_has_nul(&serde_json::to_vec(text).unwrap()), "{text:?}");
        }
    }
}
