//! Hosts as operators and users see them: hypervisors, services, availability zones.

pub(crate) mod hypervisors;
pub(crate) mod service_update;
pub(crate) mod services;
pub(crate) mod zones;

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A number for what has none: before 2.53 hypervisors and services were numbered. It is made from the
/// name, so that it stays the same when hosts come and go.
pub(crate) fn number(name: &str) -> u32 {
    let digest = Sha256::digest(name.as_bytes());
    digest
        .first_chunk::<4>()
        .map_or(1, |bytes| u32::from_be_bytes(*bytes) & 0x7fff_ffff)
        .max(1)
}

/// A hypervisor's UUID, made from its host's name.
pub(crate) fn hypervisor_uuid(name: &str) -> Uuid {
    let digest = Sha256::digest(format!("hypervisor {name}").as_bytes());
    digest.first_chunk::<16>().map_or(Uuid::nil(), |bytes| {
        uuid::Builder::from_custom_bytes(*bytes).into_uuid()
    })
}
