//! The ranges of numbers that operators make, and which of them are in use.

use skybus_model::{
    Timestamp,
    id::{ProjectId, SegmentRangeId},
    segment::{PhysicalNetwork, SegmentKind},
};
use sqlx::{Any, Executor, any::AnyRow};

use crate::{Engine, Error, Result, Tx, row::Columns};

/// A range of VLANs of one physical network, or of VXLANs, that networks get theirs from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// Its id.
    pub id: SegmentRangeId,
    /// Its name; may be empty.
    pub name: String,
    /// What the operator says of it.
    pub description: String,
    /// VLAN or VXLAN.
    pub kind: SegmentKind,
    /// Whose VLANs.
    pub physical: Option<PhysicalNetwork>,
    /// Its first number.
    pub minimum: u32,
    /// Its last number.
    pub maximum: u32,
    /// The one project that may use it; `None`: all may.
    pub project: Option<ProjectId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What a range is made from. Its numbers have been checked against its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRange {
    /// Its name; may be empty.
    pub name: String,
    /// What the operator says of it.
    pub description: String,
    /// VLAN or VXLAN.
    pub kind: SegmentKind,
    /// Whose VLANs.
    pub physical: Option<PhysicalNetwork>,
    /// Its first number.
    pub minimum: u32,
    /// Its last number.
    pub maximum: u32,
    /// The one project that may use it; `None`: all may.
    pub project: Option<ProjectId>,
}

/// A number of a range that a network has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// The range.
    pub range: SegmentRangeId,
    /// The number.
    pub number: u32,
    /// Whose network has it.
    pub project: ProjectId,
}

impl Range {
    /// `name (vlan 100-199 on trunk)`.
    #[must_use]
    pub fn told(&self) -> String {
        let on = self.physical.as_ref().map(|name| format!(" on {name}"));
        let named = if self.name.is_empty() {
            self.id.to_string()
        } else {
            self.name.clone()
        };
        format!(
            "{named} ({} {}-{}{})",
            self.kind,
            self.minimum,
            self.maximum,
            on.unwrap_or_default()
        )
    }

    fn physical_column(&self) -> String {
        let name = self.physical.as_ref().map(ToString::to_string);
        name.unwrap_or_default()
    }
}

fn small(row: &AnyRow, column: &'static str) -> Result<u32> {
    Ok(u32::try_from(row.number(column)?).unwrap_or_default())
}

pub(super) fn read(row: &AnyRow) -> Result<Range> {
    let physical = row.text("physical")?;
    Ok(Range {
        id: row.word("id")?,
        name: row.text("name")?,
        description: row.text("description")?,
        kind: row.word("kind")?,
        physical: physical.parse().ok(),
        minimum: small(row, "minimum")?,
        maximum: small(row, "maximum")?,
        project: row.maybe_word("project")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Makes a range.
///
/// # Errors
/// [`Error::Conflict`] when it overlaps another one of its kind and physical network.
pub async fn create(tx: &mut Tx, new: NewRange) -> Result<Range> {
    let now = Timestamp::now();
    let range = Range {
        id: SegmentRangeId::random(),
        name: new.name,
        description: new.description,
        kind: new.kind,
        physical: new.physical,
        minimum: new.minimum,
        maximum: new.maximum,
        project: new.project,
        created_at: now,
        updated_at: now,
    };
    lock_kind(tx, range.kind).await?;
    overlaps_none(tx, &range).await?;
    sqlx::query(
        "INSERT INTO segment_ranges (id, name, description, kind, physical, minimum, maximum, project, \
         created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
    )
    .bind(range.id.to_string())
    .bind(range.name.clone())
    .bind(range.description.clone())
    .bind(range.kind.as_str())
    .bind(range.physical_column())
    .bind(i64::from(range.minimum))
    .bind(i64::from(range.maximum))
    .bind(range.project.map(|project| project.to_string()))
    .bind(now.micros())
    .execute(tx.conn())
    .await?;
    Ok(range)
}

/// One range.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn get<'e, D>(db: D, id: SegmentRangeId) -> Result<Range>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query("SELECT * FROM segment_ranges WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read)
        .transpose()?
        .ok_or_else(|| Error::NotFound(format!("network segment range {id}")))
}

/// All ranges, oldest first.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn list<'e, D>(db: D) -> Result<Vec<Range>>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query("SELECT * FROM segment_ranges ORDER BY created_at, id")
        .fetch_all(db)
        .await?
        .iter()
        .map(read)
        .collect()
}

/// The numbers of all ranges, or of one, that networks have, in order; also of networks whose number an
/// administrator chose.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn used<'e, D>(db: D, of: Option<SegmentRangeId>) -> Result<Vec<Used>>
where
    D: Executor<'e, Database = Any>,
{
    let rows = sqlx::query(
        "SELECT r.id AS range_id, n.number, n.project FROM segment_ranges r \
         JOIN networks n ON n.segment = r.kind AND n.physical = r.physical \
         AND n.number BETWEEN r.minimum AND r.maximum \
         WHERE $1 = '' OR r.id = $1 ORDER BY n.number",
    )
    .bind(of.map(|id| id.to_string()).unwrap_or_default())
    .fetch_all(db)
    .await?;
    let used = |row| {
        Ok(Used {
            range: Columns::word(row, "range_id")?,
            number: small(row, "number")?,
            project: row.word("project")?,
        })
    };
    rows.iter().map(used).collect()
}

/// Writes the fields of a range that can be changed: name, description, its first and last number.
///
/// # Errors
/// [`Error::NotFound`] when it is gone; [`Error::Conflict`] when it would overlap another one, or a network has
/// a number that would fall out of it.
pub async fn update(tx: &mut Tx, range: &Range) -> Result<()> {
    lock_kind(tx, range.kind).await?;
    let before = lock(tx, range.id).await?;
    overlaps_none(tx, range).await?;
    let mut fallen = used(tx.conn(), Some(before.id)).await?;
    fallen.retain(|used| !(range.minimum..=range.maximum).contains(&used.number));
    stay_in(&before, &fallen)?;
    sqlx::query(
        "UPDATE segment_ranges SET name = $2, description = $3, minimum = $4, maximum = $5, \
         updated_at = $6 WHERE id = $1",
    )
    .bind(range.id.to_string())
    .bind(range.name.clone())
    .bind(range.description.clone())
    .bind(i64::from(range.minimum))
    .bind(i64::from(range.maximum))
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Removes a range.
///
/// # Errors
/// [`Error::NotFound`] when it is gone; [`Error::Conflict`] when networks have numbers of it.
pub async fn delete(tx: &mut Tx, id: SegmentRangeId) -> Result<()> {
    let range = lock(tx, id).await?;
    stay_in(&range, &used(tx.conn(), Some(id)).await?)?;
    sqlx::query("DELETE FROM segment_ranges WHERE id = $1")
        .bind(id.to_string())
        .execute(tx.conn())
        .await?;
    Ok(())
}

fn stay_in(range: &Range, fallen: &[Used]) -> Result<()> {
    if fallen.is_empty() {
        return Ok(());
    }
    let numbers: Vec<String> = fallen
        .iter()
        .take(5)
        .map(|u| u.number.to_string())
        .collect();
    let more = match fallen.len().saturating_sub(5) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Err(Error::Conflict(format!(
        "networks have numbers of {}: {}{more}; delete them first",
        range.told(),
        numbers.join(", ")
    )))
}

/// Ranges of one kind are made and changed one after the other, so that no two overlap.
async fn lock_kind(tx: &mut Tx, kind: SegmentKind) -> Result<()> {
    if tx.engine() == Engine::Postgres {
        sqlx::query("SELECT kind FROM segment_kinds WHERE kind = $1 FOR UPDATE")
            .bind(kind.as_str())
            .fetch_optional(tx.conn())
            .await?;
    }
    Ok(())
}

/// The range as it is now; whoever takes a number of it waits for this transaction.
pub(super) async fn lock(tx: &mut Tx, id: SegmentRangeId) -> Result<Range> {
    if tx.engine() == Engine::Postgres {
        sqlx::query("SELECT id FROM segment_ranges WHERE id = $1 FOR UPDATE")
            .bind(id.to_string())
            .fetch_optional(tx.conn())
            .await?;
    }
    get(tx.conn(), id).await
}

async fn overlaps_none(tx: &mut Tx, range: &Range) -> Result<()> {
    let other = sqlx::query(
        "SELECT * FROM segment_ranges WHERE kind = $1 AND physical = $2 AND minimum <= $3 \
         AND maximum >= $4 AND id <> $5 ORDER BY minimum LIMIT 1",
    )
    .bind(range.kind.as_str())
    .bind(range.physical_column())
    .bind(i64::from(range.maximum))
    .bind(i64::from(range.minimum))
    .bind(range.id.to_string())
    .fetch_optional(tx.conn())
    .await?;
    match other.as_ref().map(read).transpose()? {
        None => Ok(()),
        Some(other) => Err(Error::Conflict(format!(
            "{}-{} overlaps the network segment range {}",
            range.minimum,
            range.maximum,
            other.told()
        ))),
    }
}
