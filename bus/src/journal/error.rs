//! Why the journal could not do what was asked.

use skybus_model::id::MessageId;

/// Why the journal could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or written: a full disk, a missing directory, a wrong owner.
    #[error("the journal cannot be read or written")]
    File(#[from] sqlx::Error),
    /// A record is not what its reader expects.
    #[error("a record of the journal is not of the expected form")]
    Record(#[from] serde_json::Error),
    /// A row holds what was never written there.
    #[error("the journal is damaged: it holds {what:?}")]
    Damaged {
        /// What it holds.
        what: String,
    },
}

/// A message's id as it stands in a row.
pub(super) fn id(text: String) -> Result<MessageId, Error> {
    text.parse().map_err(|_| Error::Damaged { what: text })
}
