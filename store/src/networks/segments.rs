//! Segments of networks: how they are kept, the ranges that operators make ([`ranges`]), and taking the lowest
//! free number of one ([`take`]).

pub mod ranges;
pub mod take;

use skybus_model::segment::{NotASegment, Segment, SegmentKind};
use sqlx::any::AnyRow;

use crate::{Error, Result, row::Columns};

pub use ranges::{NewRange, Range};

/// The segment of these parts; `physical` is empty, and `number` is 0, where the kind has none.
///
/// # Errors
/// [`NotASegment`] when the name cannot be a physical network's, or the number is not of the kind.
pub fn of_parts(
    kind: SegmentKind,
    physical: &str,
    number: i64,
) -> std::result::Result<Segment, NotASegment> {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    Ok(match kind {
        SegmentKind::Local => Segment::Local,
        SegmentKind::Flat => Segment::Flat {
            physical: physical.parse()?,
        },
        SegmentKind::Vlan => Segment::Vlan {
            physical: physical.parse()?,
            id: number.try_into()?,
        },
        SegmentKind::Vxlan => Segment::Vxlan {
            vni: number.try_into()?,
        },
    })
}

/// How a network's segment is kept: kind, physical network, number. NULL is like no other NULL, so there may be
/// many local ones.
pub(super) fn columns(segment: &Segment) -> (SegmentKind, Option<String>, i64) {
    let physical = match (segment.kind(), segment.physical()) {
        (SegmentKind::Local, _) => None,
        (_, name) => Some(name.map(ToString::to_string).unwrap_or_default()),
    };
    (
        segment.kind(),
        physical,
        segment.number().map_or(0, i64::from),
    )
}

pub(super) fn read(row: &AnyRow) -> Result<Segment> {
    let kind: SegmentKind = row.word("segment")?;
    let physical = row.maybe_text("physical")?.unwrap_or_default();
    let number = row.number("number")?;
    of_parts(kind, &physical, number).map_err(|_| Error::Unreadable {
        column: "segment",
        value: format!("{kind} {physical} {number}"),
    })
}
