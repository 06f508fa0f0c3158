//! The host is in the availability zone, or is the very host, that was asked for.

use super::{Ask, Filter};
use crate::fleet::HostView;

/// Refuses hosts of other zones.
pub(super) struct Zone;

impl Filter for Zone {
    fn name(&self) -> &'static str {
        "availability_zone"
    }

    fn refuse(&self, host: &HostView, ask: &Ask) -> Option<String> {
        if let Some(name) = &ask.host
            && host.name.as_str() != name
        {
            return Some(format!("host {name} was asked for"));
        }
        let zone = ask.zone.as_ref()?;
        (host.zone != *zone).then(|| format!("it is in {:?}, {zone:?} was asked for", host.zone))
    }
}
