//! A public key's line, as OpenSSH writes it: checked, and its fingerprint.
//!
//! Only the framing is read (RFC 4253, section 6.6): the numbers inside are the guest's business, and a
//! kind of key that is new tomorrow needs one more name here and nothing else.

use base64::{Engine, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};

const KINDS: &[&str] = &[
    "ssh-ed25519",
    "ssh-rsa",
    "ssh-dss",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// The MD5 of the key's bytes, in pairs of digits with colons; or why it is no public key.
pub(crate) fn fingerprint(line: &str) -> Result<String, String> {
    if line.contains("PRIVATE KEY") {
        return Err(
            "this is a private key; give the public one (the file ending in .pub)".to_owned(),
        );
    }
    if line.lines().count() > 1 {
        return Err("it must be one line, as in a file that ssh-keygen writes (….pub)".to_owned());
    }
    let whole = line.trim_end_matches(['\n', '\r', ' ', '\t']);
    if whole.contains(|c: char| c.is_control() && c != '\t') {
        return Err("it has control characters, which no public key has".to_owned());
    }
    let mut words = line.split_whitespace();
    let (kind, data) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    if !KINDS.contains(&kind) {
        let shown: String = kind.chars().take(40).collect();
        return Err(format!(
            "{shown:?} is not a kind of key; known are {}",
            KINDS.join(", ")
        ));
    }
    let bytes = STANDARD
        .decode(data)
        .map_err(|why| format!("its second word is no base64: {why}"))?;
    let parts = framed(&bytes).ok_or("its bytes are not those of a key; was it cut off?")?;
    match parts.as_slice() {
        [first, _, ..] if *first == kind.as_bytes() => {
            let digits: Vec<String> = Md5::digest(&bytes)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            Ok(digits.join(":"))
        }
        _ => Err(format!("its bytes are not those of a key of kind {kind}")),
    }
}

/// Splits bytes into their parts, each with its length before it.
fn framed(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (part, rest) = rest.split_at_checked(length)?;
        parts.push(part);
        bytes = rest;
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    const KEY: &str = "ssh-ed25519 \
        AAAAC3NzaC1lZDI1NTE5AAAAIFGykkVuzzEYqtKxqAXxNYhLYSSiFRCeTXHWgDNS8qyZ someone@somewhere";

    #[test]
    fn a_good_key_has_a_fingerprint_in_pairs() {
        let print = fingerprint(KEY).unwrap();
        assert_eq!(print.len(), 47);
        assert_eq!(print.split(':').count(), 16);
    }

    #[test]
    fn a_comment_cannot_smuggle_what_neither_a_database_nor_a_file_of_keys_can_hold() {
        for bad in ['\0', '\u{1b}', '\r', '\u{85}'] {
            let why = fingerprint(&format!("{KEY}{bad}more")).unwrap_err();
            assert!(why.contains("control"), "{bad:?}: {why}");
        }
        assert!(fingerprint(&format!("{KEY}\u{c}")).is_err());
        assert!(fingerprint(&format!("{KEY}\tmore words\r\n")).is_ok());
    }

    #[test]
    fn what_is_no_key_is_refused_with_the_reason() {
        let cut = &KEY[..40];
        for (line, reason) in [
            ("", "not a kind of key"),
            ("hello world", "not a kind of key"),
            ("ssh-ed25519", "not those of a key"),
            ("ssh-ed25519 ????", "base64"),
            (
                "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIFGykkVuzzEYqtKxqAXxNYhLYSSiFRCeTXHWgDNS8qyZ",
                "kind ssh-rsa",
            ),
            (cut, ""),
            ("-----BEGIN OPENSSH PRIVATE KEY-----", "private"),
            ("ssh-rsa a\nssh-rsa b", "one line"),
        ] {
            let why = fingerprint(line).unwrap_err();
            assert!(why.contains(reason), "{line}: {why}");
        }
    }
}
