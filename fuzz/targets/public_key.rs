//! Public keys as users paste them. What is taken is one line that ends up in the guest's list of keys.

#![no_main]

use libfuzzer_sys::fuzz_target;
use skybus_api::fuzzing::fingerprint;

fuzz_target!(|line: &str| {
    match fingerprint(line) {
        Ok(print) => {
            assert_eq!(print.len(), 47);
            assert!(print.bytes().all(|b| b == b':' || b.is_ascii_hexdigit()));
            let whole = line.trim_end_matches(['\n', '\r', ' ', '\t']);
            let good = |c: char| c == '\t' || !c.is_control();
            assert!(
                whole.chars().all(good),
                "a key with control characters: {line:?}"
            );
            // `AuthorizedKeys` takes options before the key: they would be a way to run commands.
            assert!(line.trim_start().starts_with(['s', 'e']));
        }
        // Shown to the caller, whatever was pasted.
        Err(why) => assert!(why.len() < 600, "{} bytes of reason", why.len()),
    }
});
