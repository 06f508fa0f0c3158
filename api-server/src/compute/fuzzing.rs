//! Doors for the targets in `fuzz/`: the body of a boot and public keys.

use serde_json::Value;

use super::{keypairs::public_key, servers::request};
use crate::http::{Error, Microversion};

/// What a boot asks for, as far as a target looks at it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The server's name.
    pub name: String,
    /// The guest's own name.
    pub hostname: Option<String>,
    /// At least and at most so many.
    pub counts: (i64, i64),
    /// Base64.
    pub user_data: Option<String>,
}

/// Reads the body of `POST /servers`.
///
/// # Errors
/// As a client would hear it.
pub fn boot(body: &Value, version: Microversion) -> Result<Asked, Error> {
    let boot = request::read(body, version)?;
    Ok(Asked {
        name: boot.name,
        hostname: boot.hostname,
        counts: (boot.least, boot.most),
        user_data: boot.user_data,
    })
}

/// The fingerprint of a public key's line.
///
/// # Errors
/// Why it is no public key.
pub fn fingerprint(line: &str) -> Result<String, String> {
    public_key::fingerprint(line)
}
