//! Whose rows a query may see.

use skybus_model::id::ProjectId;

/// Whose rows a query may see. Every query that reads what belongs to projects takes one, so that
/// leaving it out does not compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everyone's: for administrators and for skybus itself.
    Everything,
    /// One project's, and what is shared with all.
    Project(ProjectId),
}

impl Scope {
    /// The project's id, or nothing for [`Scope::Everything`]: queries compare with this text.
    #[must_use]
    pub(crate) fn filter(self) -> String {
        match self {
            Self::Everything => String::new(),
            Self::Project(project) => project.to_string(),
        }
    }
}
