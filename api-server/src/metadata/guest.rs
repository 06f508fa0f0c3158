//! A guest's question, as its host's network worker forwards it.

use std::net::Ipv4Addr;

use axum::{
    extract::{OriginalUri, State},
    response::{IntoResponse, Response},
};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, header};
use sha2::Sha256;
use skybus_model::id::{NetworkId, ServerId};
use skybus_store::networks::ports;

use super::{
    ec2,
    facts::{self, Facts},
    openstack,
};
use crate::{
    app::App,
    http::{Api, Error},
};

/// An answer: what kind of text, and the text.
pub(super) struct Text {
    pub(super) kind: &'static str,
    pub(super) bytes: Vec<u8>,
}

impl Text {
    /// Plain text.
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self {
            kind: "text/plain; charset=utf-8",
            bytes: text.into().into_bytes(),
        }
    }

    /// JSON.
    pub(super) fn json(value: &serde_json::Value) -> Self {
        Self {
            kind: "application/json",
            bytes: value.to_string().into_bytes(),
        }
    }

    /// Bytes of which only the guest knows what they are.
    pub(super) fn bytes(bytes: Vec<u8>) -> Self {
        Self {
            kind: "application/octet-stream",
            bytes,
        }
    }
}

/// Answers a guest's question.
pub(super) async fn answer(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let server = asker(&app, &headers).await?;
    let facts = facts::of(&app, server).await?;
    let path = uri
        .path()
        .strip_prefix(Api::Metadata.prefix())
        .unwrap_or_default();
    let text = text(&facts, path).ok_or_else(|| Error::not_found("metadata", path))?;
    Ok(([(header::CONTENT_TYPE, text.kind)], text.bytes).into_response())
}

/// The text at a path below the metadata's root, in either dialect.
pub(super) fn text(facts: &Facts, path: &str) -> Option<Text> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [] => Some(Text::plain(format!("{}\nlatest", ec2::VERSIONS.join("\n")))),
        ["openstack", rest @ ..] => openstack::answer(facts, rest),
        parts => ec2::answer(facts, parts),
    }
}

/// The server that asks, if a network worker vouches for where the question came from.
async fn asker(app: &App, headers: &HeaderMap) -> Result<ServerId, Error> {
    let (network, address) = vouched(app.config.metadata_secret.as_bytes(), headers)?;
    let unknown = || Error::not_found("server at", address);
    let port = match ports::at_address(app.store.pool(), network, address).await {
        Err(skybus_store::Error::NotFound(_)) => return Err(unknown()),
        other => other?,
    };
    port.server.ok_or_else(unknown)
}

/// Where a question came from, if the headers are signed with the network workers' secret.
pub(super) fn vouched(secret: &[u8], headers: &HeaderMap) -> Result<(NetworkId, Ipv4Addr), Error> {
    let refused = || Error::forbidden("metadata is told to guests only, through their network");
    let text = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .ok_or_else(refused)
    };
    let (network, address) = (text("x-skybus-network")?, text("x-skybus-address")?);
    let signature = hex::decode(text("x-skybus-signature")?).map_err(|_| refused())?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(Error::internal)?;
    mac.update(format!("{network} {address}").as_bytes());
    // In constant time.
    mac.verify_slice(&signature).map_err(|_| refused())?;
    let network: NetworkId = network.parse().map_err(|_| refused())?;
    let address: Ipv4Addr = address.parse().map_err(|_| refused())?;
    Ok((network, address))
}
