//! What a token says, and its bytes.
//!
//! A token is these few bytes, sealed with [`super::Keys`]: version, how the user logged in, user,
//! project (all zero for none), when it was made and when it ends, its own audit id and that of the
//! first of its line. It is no row anywhere; whether it is still good is asked in [`mod@super::verify`].

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use skybus_model::{
    Timestamp,
    id::{ProjectId, UserId},
};
use uuid::Uuid;

const VERSION: u8 = 1;
const LENGTH: usize = 2 + 16 + 16 + 8 + 8 + 16 + 16;

/// The bits of how the user logged in.
pub const BY_PASSWORD: u8 = 1;
/// See [`BY_PASSWORD`].
pub const BY_TOKEN: u8 = 2;

/// What a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    /// How the user logged in, as bits.
    pub methods: u8,
    /// Who.
    pub user: UserId,
    /// For which project.
    pub project: Option<ProjectId>,
    /// When it was made.
    pub issued: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// Its audit id.
    pub audit: Uuid,
    /// The audit id of the first token of its line.
    pub first: Uuid,
}

impl Claims {
    /// The bytes to be sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend([VERSION, self.methods]);
        bytes.extend(self.user.uuid().as_bytes());
        bytes.extend(
            self.project
                .map_or_else(Uuid::nil, ProjectId::uuid)
                .as_bytes(),
        );
        bytes.extend(self.issued.micros().to_be_bytes());
        bytes.extend(self.expires.micros().to_be_bytes());
        bytes.extend(self.audit.as_bytes());
        bytes.extend(self.first.as_bytes());
        bytes
    }

    /// Reads the bytes of an opened token; `None` when they are not that.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != LENGTH || bytes.first() != Some(&VERSION) {
            return None;
        }
        let uuid = |at: usize| Uuid::from_slice(bytes.get(at..at + 16)?).ok();
        let time = |at: usize| {
            let eight: [u8; 8] = bytes.get(at..at + 8)?.try_into().ok()?;
            Some(Timestamp(i64::from_be_bytes(eight)))
        };
        let project = uuid(18)?;
        Some(Self {
            methods: *bytes.get(1)?,
            user: UserId::from_uuid(uuid(2)?),
            project: (!project.is_nil()).then(|| ProjectId::from_uuid(project)),
            issued: time(34)?,
            expires: time(42)?,
            audit: uuid(50)?,
            first: uuid(66)?,
        })
    }

    /// The words for how the user logged in.
    #[must_use]
    pub fn methods(&self) -> Vec<&'static str> {
        [(BY_TOKEN, "token"), (BY_PASSWORD, "password")]
            .into_iter()
            .filter(|(bit, _)| self.methods & bit != 0)
            .map(|(_, word)| word)
            .collect()
    }

    /// The audit ids as Keystone writes them: its own, and the first one's when that is another.
    #[must_use]
    pub fn audit_ids(&self) -> Vec<String> {
        let mut ids = vec![audit_text(self.audit)];
        if self.first != self.audit {
            ids.push(audit_text(self.first));
        }
        ids
    }
}

/// An audit id as text.
#[must_use]
pub fn audit_text(id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(project: Option<ProjectId>) -> Claims {
        Claims {
            methods: BY_PASSWORD | BY_TOKEN,
            user: UserId::random(),
            project,
            issued: Timestamp(5),
            expires: Timestamp(i64::MAX),
            audit: Uuid::new_v4(),
            first: Uuid::new_v4(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for project in [None, Some(ProjectId::random())] {
            let claims = claims(project);
            assert_eq!(Claims::decode(&claims.encode()), Some(claims));
        }
    }

    #[test]
    fn other_bytes_are_no_token() {
        let good = claims(None).encode();
        assert_eq!(Claims::decode(&good[..LENGTH - 1]), None);
        assert_eq!(Claims::decode(&[]), None);
        let mut newer = good;
        newer[0] = 2;
        assert_eq!(Claims::decode(&newer), None);
    }
}
