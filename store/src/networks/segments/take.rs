//! Making a network on the lowest free number of a range.
//!
//! Whoever takes a number has locked the range's row, so that two do not look at the same moment. An administrator
//! may choose a number without that; then a unique index refuses the second, and the next number is tried.

use std::fmt;

use skybus_model::{
    id::ProjectId,
    segment::{PhysicalNetwork, Segment, SegmentKind},
};

use super::{of_parts, ranges, ranges::Range};
use crate::{
    Error, Result, Tx,
    networks::{
        Network,
        network::{self, NewNetwork},
    },
    row::Columns,
};

/// Which ranges may be taken from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct From {
    /// Only those of this kind.
    pub kind: Option<SegmentKind>,
    /// Only those of this physical network.
    pub physical: Option<PhysicalNetwork>,
}

/// No number is free; these are the ranges that were looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Full(pub Vec<Range>);

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("there is no network segment range for it");
        }
        let told: Vec<String> = self.0.iter().map(Range::told).collect();
        write!(f, "every number is in use of {}", told.join(", "))
    }
}

/// Makes a network on the lowest free number of the ranges that its project may use: VLANs first, and of each
/// kind the project's own ranges first. Where no kind is asked for and there is no range, it is local.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn create(
    tx: &mut Tx,
    new: NewNetwork,
    from: &From,
) -> Result<std::result::Result<Network, Full>> {
    let ranges = usable(tx, new.project, from).await?;
    if ranges.is_empty() && from.kind.is_none() {
        let segment = Segment::Local;
        return Ok(Ok(network::create(tx, NewNetwork { segment, ..new }).await?));
    }
    for range in &ranges {
        let range = match ranges::lock(tx, range.id).await {
            Err(Error::NotFound(_)) => continue,
            locked => locked?,
        };
        while let Some(segment) = lowest_free(tx, &range).await? {
            let new = NewNetwork {
                segment,
                ..new.clone()
            };
            if let Some(network) = network::insert(tx, new).await? {
                return Ok(Ok(network));
            }
        }
    }
    Ok(Err(Full(ranges)))
}

/// In one order for all, so that two that find ranges full do not wait for each other.
async fn usable(tx: &mut Tx, project: ProjectId, from: &From) -> Result<Vec<Range>> {
    let physical = from.physical.as_ref().map(ToString::to_string);
    sqlx::query(
        "SELECT * FROM segment_ranges WHERE (project IS NULL OR project = $1) \
         AND ($2 = '' OR kind = $2) AND ($3 = '' OR physical = $3) \
         ORDER BY kind, CASE WHEN project IS NULL THEN 1 ELSE 0 END, physical, minimum",
    )
    .bind(project.to_string())
    .bind(from.kind.map_or("", SegmentKind::as_str))
    .bind(physical.unwrap_or_default())
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(ranges::read)
    .collect()
}

/// The first number of the range, or else the first that follows one in use, that no network has.
async fn lowest_free(tx: &mut Tx, range: &Range) -> Result<Option<Segment>> {
    let physical = range.physical.as_ref().map(ToString::to_string);
    let physical = physical.unwrap_or_default();
    let row = sqlx::query(
        "SELECT MIN(c.number) AS number FROM (SELECT minimum AS number FROM segment_ranges WHERE id = $1 \
         UNION ALL SELECT n.number + 1 FROM networks n WHERE n.segment = $2 AND n.physical = $3 \
         AND n.number >= $4 AND n.number < $5) c WHERE NOT EXISTS (SELECT 1 FROM networks u \
         WHERE u.segment = $2 AND u.physical = $3 AND u.number = c.number)",
    )
    .bind(range.id.to_string())
    .bind(range.kind.as_str())
    .bind(physical.clone())
    .bind(i64::from(range.minimum))
    .bind(i64::from(range.maximum))
    .fetch_one(tx.conn())
    .await?;
    let Some(number) = row.maybe_number("number")? else {
        return Ok(None);
    };
    of_parts(range.kind, &physical, number)
        .map(Some)
        .map_err(|error| Error::Conflict(error.to_string()))
}
