//! Flavors: how large a server may be.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use skybus_model::{Timestamp, host::Resources, id::ProjectId};
use sqlx::any::AnyRow;

use crate::{
    Error, Result, Store, Tx,
    row::{Columns, to_json},
};

/// A flavor. Its id is any text, because the classic ones are called `1` to `5`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flavor {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What a server of it may use.
    pub resources: Resources,
    /// Whether every project may use it.
    pub is_public: bool,
    /// What it is for.
    pub description: Option<String>,
    /// Further properties, for the scheduler.
    pub extra_specs: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The flavors that every new cloud has: id, name, vCPUs, MiB of memory, GiB of disk.
const CLASSIC: [(&str, &str, i64, i64, i64); 6] = [
    ("1", "m1.tiny", 1, 512, 1),
    ("2", "m1.small", 1, 2048, 20),
    ("3", "m1.medium", 2, 4096, 40),
    ("4", "m1.large", 4, 8192, 80),
    ("5", "m1.xlarge", 8, 16384, 160),
    ("84", "m1.nano", 1, 128, 1),
];

/// Makes the classic flavors where neither the id nor the name is taken; run again, it changes nothing.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn bootstrap(tx: &mut Tx) -> Result<()> {
    // A flavor that its operator deleted stays deleted.
    let any = sqlx::query("SELECT id FROM flavors LIMIT 1")
        .fetch_optional(tx.conn())
        .await?;
    if any.is_some() {
        return Ok(());
    }
    for (id, name, vcpus, ram_mib, disk_gib) in CLASSIC {
        insert(
            tx,
            &Flavor {
                id: id.to_owned(),
                name: name.to_owned(),
                resources: Resources {
                    vcpus,
                    ram_mib,
                    disk_gib,
                },
                is_public: true,
                description: None,
                extra_specs: BTreeMap::new(),
                created_at: Timestamp::now(),
            },
        )
        .await?;
    }
    Ok(())
}

/// Adds a flavor.
///
/// # Errors
/// [`Error::Conflict`] when the id or the name is taken.
pub async fn insert(tx: &mut Tx, flavor: &Flavor) -> Result<()> {
    let added = sqlx::query(
        "INSERT INTO flavors \
         (id, name, vcpus, ram_mib, disk_gib, is_public, description, extra_specs, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
    )
    .bind(flavor.id.clone())
    .bind(flavor.name.clone())
    .bind(flavor.resources.vcpus)
    .bind(flavor.resources.ram_mib)
    .bind(flavor.resources.disk_gib)
    .bind(i64::from(flavor.is_public))
    .bind(flavor.description.clone())
    .bind(to_json(&flavor.extra_specs))
    .bind(flavor.created_at.micros())
    .execute(tx.conn())
    .await?;
    if added.rows_affected() == 1 {
        return Ok(());
    }
    let by_id = sqlx::query("SELECT id FROM flavors WHERE id = $1")
        .bind(flavor.id.clone())
        .fetch_optional(tx.conn())
        .await?;
    Err(Error::Conflict(match by_id {
        Some(_) => format!("Flavor with ID {} already exists.", flavor.id),
        None => format!("Flavor with name {} already exists.", flavor.name),
    }))
}

/// Every flavor that a project may use; with no project, every flavor. Ordered by memory, then id.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn list(store: &Store, project: Option<ProjectId>) -> Result<Vec<Flavor>> {
    sqlx::query(
        "SELECT * FROM flavors WHERE $1 = '' OR is_public = 1 \
         OR id IN (SELECT flavor FROM flavor_access WHERE project = $1) ORDER BY ram_mib, id",
    )
    .bind(project.map(|p| p.to_string()).unwrap_or_default())
    .fetch_all(store.pool())
    .await?
    .iter()
    .map(read)
    .collect()
}

/// A flavor that the project may use; with no project, any flavor.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn find(store: &Store, id: &str, project: Option<ProjectId>) -> Result<Flavor> {
    let row = sqlx::query(
        "SELECT * FROM flavors WHERE id = $1 AND ($2 = '' OR is_public = 1 \
         OR id IN (SELECT flavor FROM flavor_access WHERE project = $2))",
    )
    .bind(id.to_owned())
    .bind(project.map(|p| p.to_string()).unwrap_or_default())
    .fetch_optional(store.pool())
    .await?;
    row.as_ref()
        .map_or_else(|| Err(Error::NotFound(format!("flavor {id}"))), read)
}

/// Sets or takes back a flavor's description.
///
/// # Errors
/// [`Error::NotFound`] when there is no such flavor.
pub async fn describe(tx: &mut Tx, id: &str, description: Option<&str>) -> Result<()> {
    let changed = sqlx::query("UPDATE flavors SET description = $2 WHERE id = $1")
        .bind(id.to_owned())
        .bind(description.map(str::to_owned))
        .execute(tx.conn())
        .await?;
    one(id, changed.rows_affected())
}

/// Replaces a flavor's further properties.
///
/// # Errors
/// [`Error::NotFound`] when there is no such flavor.
pub async fn set_extra_specs(
    tx: &mut Tx,
    id: &str,
    specs: &BTreeMap<String, String>,
) -> Result<()> {
    let changed = sqlx::query("UPDATE flavors SET extra_specs = $2 WHERE id = $1")
        .bind(id.to_owned())
        .bind(to_json(specs))
        .execute(tx.conn())
        .await?;
    one(id, changed.rows_affected())
}

/// Removes a flavor. Servers of it keep the copy that they were made with.
///
/// # Errors
/// [`Error::NotFound`] when there is no such flavor.
pub async fn delete(tx: &mut Tx, id: &str) -> Result<()> {
    sqlx::query("DELETE FROM flavor_access WHERE flavor = $1")
        .bind(id.to_owned())
        .execute(tx.conn())
        .await?;
    let removed = sqlx::query("DELETE FROM flavors WHERE id = $1")
        .bind(id.to_owned())
        .execute(tx.conn())
        .await?;
    one(id, removed.rows_affected())
}

/// The projects that may use a flavor which is not public.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn access(store: &Store, id: &str) -> Result<Vec<ProjectId>> {
    sqlx::query("SELECT project FROM flavor_access WHERE flavor = $1 ORDER BY project")
        .bind(id.to_owned())
        .fetch_all(store.pool())
        .await?
        .iter()
        .map(|row| row.word("project"))
        .collect()
}

/// Lets a project use a flavor; `false` when it could already.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn allow(tx: &mut Tx, id: &str, project: ProjectId) -> Result<bool> {
    let added = sqlx::query(
        "INSERT INTO flavor_access (flavor, project) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    )
    .bind(id.to_owned())
    .bind(project.to_string())
    .execute(tx.conn())
    .await?;
    Ok(added.rows_affected() == 1)
}

/// Takes back what [`allow`] gave; `false` when there was nothing to take.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn disallow(tx: &mut Tx, id: &str, project: ProjectId) -> Result<bool> {
    let removed = sqlx::query("DELETE FROM flavor_access WHERE flavor = $1 AND project = $2")
        .bind(id.to_owned())
        .bind(project.to_string())
        .execute(tx.conn())
        .await?;
    Ok(removed.rows_affected() == 1)
}

fn one(id: &str, rows: u64) -> Result<()> {
    if rows == 1 {
        Ok(())
    } else {
        Err(Error::NotFound(format!("flavor {id}")))
    }
}

fn read(row: &AnyRow) -> Result<Flavor> {
    Ok(Flavor {
        id: row.text("id")?,
        name: row.text("name")?,
        resources: Resources {
            vcpus: row.number("vcpus")?,
            ram_mib: row.number("ram_mib")?,
            disk_gib: row.number("disk_gib")?,
        },
        is_public: row.flag("is_public")?,
        description: row.maybe_text("description")?,
        extra_specs: row.json("extra_specs")?,
        created_at: row.time("created_at")?,
    })
}
