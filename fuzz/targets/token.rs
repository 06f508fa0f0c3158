//! Tokens, sealed and opened: what the keys did not seal opens to nothing, and what a token says is what
//! was written.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use skybus_api::identity::{keys::Keys, token::Claims};

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("a directory");
    Keys::open(directory.path()).expect("keys")
});

fuzz_target!(|bytes: &[u8]| {
    if let Some(claims) = Claims::decode(bytes) {
        assert_eq!(claims.encode(), bytes);
        assert!(claims.methods().len() <= 2);
        assert!(matches!(claims.audit_ids().len(), 1 | 2));
        // Shown to whoever asks about the token, however odd the time.
        let _ = (claims.issued.iso_micros_z(), claims.expires.iso_micros_z());
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert_eq!(KEYS.open_sealed(text), None, "a token was forged");
    }
    // What is sealed opens; with one character changed it does not.
    let Some((at, rest)) = bytes.split_first() else {
        return;
    };
    let sealed = KEYS.seal(rest);
    assert_eq!(KEYS.open_sealed(&sealed).as_deref(), Some(rest));
    let mut forged = sealed.into_bytes();
    let at = usize::from(*at) % forged.len();
    forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
    // Base64's last characters may carry bits that mean nothing.
    if at + 4 < forged.len() {
        let forged = String::from_utf8(forged).expect("ASCII");
        assert_eq!(KEYS.open_sealed(&forged), None, "a changed token opens");
    }
});
