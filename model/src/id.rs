//! Typed ids: a server's id cannot be passed where a host's or a port's is wanted.
//!
//! Every id is a UUID. Identity ids (projects, users, roles, domains) are written as Keystone writes
//! them, 32 hexadecimal digits without dashes; all others with dashes. Both forms are read everywhere.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// The text was not an id: it is neither a dashed nor a plain UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an id; an id is a UUID such as 4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b")]
pub struct NotAnId {
    /// What was given.
    pub text: String,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident: $form:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// A new random id.
            #[must_use]
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }

            /// A new id that sorts by the time it was made, for rows and messages.
            #[must_use]
            pub fn in_order() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id with this very UUID.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The bare UUID.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.$form().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.$form())
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                match (text.len(), Uuid::parse_str(text)) {
                    (32 | 36, Ok(uuid)) => Ok(Self(uuid)),
                    _ => Err(NotAnId { text: text.chars().take(80).collect() }),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A server: one virtual machine of a project.
    ServerId: hyphenated;
    /// An operation: one accepted change, remembered until it is done.
    OperationId: hyphenated;
    /// A message on the bus; also its row in the outbox.
    MessageId: hyphenated;
    /// An image.
    ImageId: hyphenated;
    /// A network.
    NetworkId: hyphenated;
    /// A range of VLANs or VXLANs that networks get theirs from.
    SegmentRangeId: hyphenated;
    /// A subnet of a network.
    SubnetId: hyphenated;
    /// A port: a place on a network where a server's interface is plugged in.
    PortId: hyphenated;
    /// A floating IP: an address of the outside that a project holds.
    FloatingIpId: hyphenated;
    /// A security group.
    SecurityGroupId: hyphenated;
    /// A rule of a security group.
    SecurityGroupRuleId: hyphenated;
    /// A service process, as listed by `service-list`.
    ServiceId: hyphenated;
    /// A project (tenant).
    ProjectId: simple;
    /// A user.
    UserId: simple;
    /// A role.
    RoleId: simple;
    /// A domain.
    DomainId: simple;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_one_is_written() {
        let plain = "4f3c2a5e90d14e0e8f5a0c6f9f6c1a7b";
        let server: ServerId = plain.parse().unwrap();
        assert_eq!(server.to_string(), "4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b");
        let project: ProjectId = server.to_string().parse().unwrap();
        assert_eq!(project.to_string(), plain);
    }

    #[test]
    fn braces_urns_and_rubbish_are_refused() {
        for bad in [
            "",
            "1",
            "{4f3c2a5e-90d1-4e0e-8f5a-0c6f9f6c1a7b}",
            "urn:uuid:x",
            "../../etc",
        ] {
            assert!(bad.parse::<ServerId>().is_err(), "{bad} was taken");
        }
    }
}
