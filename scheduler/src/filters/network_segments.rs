//! The host's network worker can carry every network that the server is on.

use std::collections::BTreeSet;

use skybus_model::segment::{Segment, SegmentKind};

use super::{Ask, Filter};
use crate::fleet::HostView;

/// The filter's name.
pub const NAME: &str = "network_segments";

/// Refuses hosts that cannot carry a network of the server's.
pub(super) struct NetworkSegments;

impl Filter for NetworkSegments {
    fn name(&self) -> &'static str {
        NAME
    }

    fn refuse(&self, host: &HostView, ask: &Ask) -> Option<String> {
        let mut segments = ask.segments.iter();
        segments.find_map(|segment| match &host.carries {
            Some(carries) => carries.refusal(segment),
            None if *segment == Segment::Local => None,
            None => Some(format!(
                "it cannot carry {segment}: its network worker has not said what it carries"
            )),
        })
    }

    /// Which physical networks and numbers there are is the operators' business.
    fn for_owner(&self, ask: &Ask) -> Option<String> {
        let kinds: BTreeSet<SegmentKind> = ask.segments.iter().map(Segment::kind).collect();
        let kinds: Vec<&str> = kinds.into_iter().map(SegmentKind::as_str).collect();
        Some(format!(
            "it cannot carry a network of the server's ({})",
            kinds.join(", ")
        ))
    }
}
