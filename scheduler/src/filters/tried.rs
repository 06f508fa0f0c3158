//! The host has not failed this very boot already.

use super::{Ask, Filter};
use crate::fleet::HostView;

/// Refuses hosts that failed this boot.
pub(super) struct NotTried;

impl Filter for NotTried {
    fn name(&self) -> &'static str {
        "retry"
    }

    fn refuse(&self, host: &HostView, ask: &Ask) -> Option<String> {
        ask.tried
            .contains(&host.name)
            .then(|| "it failed this boot before".to_owned())
    }
}
