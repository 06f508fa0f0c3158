//! Doors for the targets in `fuzz/`: a guest's paths and the headers that vouch for it.

use std::{collections::BTreeMap, net::Ipv4Addr};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderMap;
use skybus_model::{
    Generation, Order, Timestamp,
    host::Resources,
    id::{ImageId, NetworkId, ProjectId, ServerId, UserId},
    image::DiskFormat,
    server::{Desired, Power, ServerState, VmState},
};
use skybus_store::servers::{FlavorSnapshot, ImageBytes, Server};

use super::{facts::Facts, guest};
use crate::http::Error;

/// The administrator's password of [`Sample`], which no path may give away.
pub const PASSWORD: &str = "the-administrator's-own";

/// A server that asks about itself.
#[derive(Debug)]
pub struct Sample(Facts);

impl Default for Sample {
    fn default() -> Self {
        Self(Facts {
            server: server(),
            interfaces: Vec::new(),
            user_data: Some(b"#!/bin/sh\n".to_vec()),
        })
    }
}

impl Sample {
    /// The kind and the bytes of the answer at a path, if there is one.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<(&'static str, Vec<u8>)> {
        guest::text(&self.0, path).map(|text| (text.kind, text.bytes))
    }
}

/// Where a question came from, if the headers are signed with `secret`.
///
/// # Errors
/// As the network worker would hear it.
pub fn vouched(secret: &[u8], headers: &HeaderMap) -> Result<(NetworkId, Ipv4Addr), Error> {
    guest::vouched(secret, headers)
}

fn server() -> Server {
    let id = uuid::Uuid::from_u128(7);
    Server {
        id: ServerId::from_uuid(id),
        project: ProjectId::from_uuid(id),
        owner: UserId::from_uuid(id),
        name: "Sample".to_owned(),
        description: None,
        hostname: "sample".to_owned(),
        state: ServerState::settled(VmState::Active),
        power: Power::Running,
        desired: Desired::Running,
        generation: Generation(1),
        recorded: Order::default(),
        host: None,
        zone: None,
        resources: Resources::default(),
        flavor: FlavorSnapshot {
            id: "1".to_owned(),
            name: "small".to_owned(),
            vcpus: 1,
            ram: 256,
            disk: 1,
            ephemeral: 0,
            swap: 0,
            extra_specs: BTreeMap::new(),
        },
        image: ImageId::from_uuid(id),
        image_bytes: ImageBytes {
            format: DiskFormat::Raw,
            size: 1,
            sha512: String::new(),
            properties: BTreeMap::new(),
        },
        key_name: Some("key".to_owned()),
        key_public: Some("ssh-ed25519 AAAA me@here".to_owned()),
        user_data: Some(BASE64_STANDARD.encode("#!/bin/sh\n")),
        admin_pass: Some(PASSWORD.to_owned()),
        config_drive: false,
        metadata: BTreeMap::from([("role".to_owned(), "web".to_owned())]),
        fault: None,
        fault_at: None,
        created_at: Timestamp(1),
        updated_at: Timestamp(1),
        launched_at: None,
        deleted_at: None,
    }
}
