//! What can be asked of a server, as requests.

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Make it.
    Boot,
    /// Turn it off.
    Stop,
    /// Turn it on.
    Start,
    /// Reboot it by asking it.
    RebootSoft,
    /// Reboot it without asking.
    RebootHard,
    /// Remove it.
    Delete,
}

impl Operation {
    /// The state of a server when it is done.
    #[must_use]
    pub const fn goal(self) -> &'static str {
        match self {
            Self::Boot | Self::Start | Self::RebootSoft | Self::RebootHard => "active",
            Self::Stop => "stopped",
            Self::Delete => "deleted",
        }
    }

    /// Method, path and body of the request; a boot has one of its own.
    #[must_use]
    pub fn request(self, id: &str) -> (&'static str, String, String) {
        let path = format!("/compute/v2.1/servers/{id}");
        let body = match self {
            Self::Delete => return ("DELETE", path, String::new()),
            Self::Stop => r#"{"os-stop": null}"#,
            Self::Boot | Self::Start => r#"{"os-start": null}"#,
            Self::RebootSoft => r#"{"reboot": {"type": "SOFT"}}"#,
            Self::RebootHard => r#"{"reboot": {"type": "HARD"}}"#,
        };
        ("POST", format!("{path}/action"), body.to_owned())
    }
}
