//! The host's workers are alive and no operator has closed it.

use super::{Ask, Filter};
use crate::fleet::HostView;

/// Refuses hosts that are silent or closed.
pub(super) struct ServiceUp;

impl Filter for ServiceUp {
    fn name(&self) -> &'static str {
        "service"
    }

    fn refuse(&self, host: &HostView, ask: &Ask) -> Option<String> {
        if let Some(reason) = &host.closed {
            return Some(reason.clone());
        }
        if !host.is_up(ask.now) {
            return Some(match host.heard.silent_for(ask.now) {
                Some(silent) => {
                    let seconds = silent.as_secs();
                    format!("its compute worker has been silent for {seconds} s")
                }
                None => "its compute worker was never heard".to_owned(),
            });
        }
        (!host.has_network(ask.now)).then(|| "its network worker is silent".to_owned())
    }
}
