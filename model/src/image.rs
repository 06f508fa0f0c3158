//! Images: what is in them and where they are in their life (Image API v2).

use crate::server::state::words;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

use crate::server::state::UnknownWord;

words! {
    /// What an image's bytes are (`disk_format`).
    DiskFormat {
        /// The disk itself.
        Raw = "raw",
        /// QEMU's format.
        Qcow2 = "qcow2",
    }
}

words! {
    /// Where an image is in its life (`status`).
    ImageStatus {
        /// Known, but without bytes.
        Queued = "queued",
        /// Its bytes are arriving.
        Saving = "saving",
        /// It can be booted.
        Active = "active",
        /// Its bytes did not arrive or are not what they should be.
        Killed = "killed",
        /// It is gone.
        Deleted = "deleted",
    }
}

words! {
    /// Who may see an image (`visibility`).
    Visibility {
        /// Everyone.
        Public = "public",
        /// Everyone who knows its id.
        Community = "community",
        /// Its project, and projects that it was shared with.
        Shared = "shared",
        /// Its project.
        Private = "private",
    }
}
