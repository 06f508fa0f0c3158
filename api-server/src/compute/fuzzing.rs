//! Doors for the targets in `fuzz/`: the body of a boot, the conditions of a list, public keys.

use serde_json::Value;
use skybus_model::{
    Timestamp,
    id::{ProjectId, UserId},
};

use super::{
    keypairs::public_key,
    servers::{query, request},
};
use crate::http::{Auth, Error, Microversion, Params, auth::Token};

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

/// Whether any server can fit the conditions of `GET /servers`, asked by an administrator.
///
/// # Errors
/// As a client would hear it.
pub fn any_fits(params: &Params, version: Microversion) -> Result<bool, Error> {
    let id = uuid::Uuid::from_u128(9);
    let auth = Auth {
        user: UserId::from_uuid(id),
        user_name: "admin".to_owned(),
        scope: Some(ProjectId::from_uuid(id)),
        project_name: "admin".to_owned(),
        domain: "default".to_owned(),
        roles: vec!["admin".to_owned()],
        expires: Timestamp(i64::MAX),
        token: Token(String::new()),
    };
    Ok(!query::Query::read(params, &auth, version)?.is_empty())
}
