//! What was changed on the host, or would be.

/// A list of changes, made as they are listed unless it is only a rehearsal.
#[derive(Debug, Default)]
pub struct Changes {
    rehearsal: bool,
    list: Vec<String>,
}

impl Changes {
    /// Changes that are made.
    #[must_use]
    pub fn real() -> Self {
        Self::default()
    }

    /// Changes that are only listed.
    #[must_use]
    pub fn rehearsal() -> Self {
        Self {
            rehearsal: true,
            list: Vec::new(),
        }
    }

    /// Whether nothing is really changed.
    #[must_use]
    pub const fn is_rehearsal(&self) -> bool {
        self.rehearsal
    }

    /// Lists a change and makes it.
    ///
    /// # Errors
    /// What `work` failed with.
    pub fn make<E>(
        &mut self,
        what: impl Into<String>,
        work: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        self.list.push(what.into());
        if self.rehearsal { Ok(()) } else { work() }
    }

    /// Lists how a change went.
    pub fn note(&mut self, what: String) {
        self.list.push(what);
    }

    /// What was listed so far.
    #[must_use]
    pub fn list(&self) -> &[String] {
        &self.list
    }
}
