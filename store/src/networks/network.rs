//! Networks: a project's own piece of layer 2, or one that everybody shares.

use skybus_model::{
    Timestamp,
    id::{NetworkId, ProjectId},
};
use sqlx::{Any, Executor, any::AnyRow};

use super::{Scope, subnets};
use crate::{Error, Result, Tx, row::Columns};

/// A network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Its id.
    pub id: NetworkId,
    /// The project that made it.
    pub project: ProjectId,
    /// Its name; need not be unique.
    pub name: String,
    /// What its owner says of it.
    pub description: String,
    /// Whether every project may use it.
    pub shared: bool,
    /// Whether it is the outside: every project may hold addresses of it, and no port is on it.
    pub external: bool,
    /// The largest packet.
    pub mtu: u16,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What a network is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNetwork {
    /// The project that it will belong to.
    pub project: ProjectId,
    /// Its name.
    pub name: String,
    /// What its owner says of it.
    pub description: String,
    /// Whether every project may use it.
    pub shared: bool,
    /// Whether it is the outside: every project may hold addresses of it, and no port is on it.
    pub external: bool,
    /// The largest packet.
    pub mtu: u16,
}

fn read(row: &AnyRow) -> Result<Network> {
    Ok(Network {
        id: row.word("id")?,
        project: row.word("project")?,
        name: row.text("name")?,
        description: row.text("description")?,
        shared: row.flag("shared")?,
        external: row.flag("external")?,
        mtu: u16::try_from(row.number("mtu")?).unwrap_or(1500),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Makes a network.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn create(tx: &mut Tx, new: NewNetwork) -> Result<Network> {
    let now = Timestamp::now();
    let network = Network {
        id: NetworkId::random(),
        project: new.project,
        name: new.name,
        description: new.description,
        shared: new.shared,
        external: new.external,
        mtu: new.mtu,
        created_at: now,
        updated_at: now,
    };
    sqlx::query(
        "INSERT INTO networks (id, project, name, description, shared, external, mtu, created_at, \
         updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
    )
    .bind(network.id.to_string())
    .bind(network.project.to_string())
    .bind(network.name.clone())
    .bind(network.description.clone())
    .bind(i64::from(network.shared))
    .bind(i64::from(network.external))
    .bind(i64::from(network.mtu))
    .bind(now.micros())
    .execute(tx.conn())
    .await?;
    Ok(network)
}

/// One network, if it may be seen.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or it belongs to someone else.
pub async fn get<'e, D>(db: D, id: NetworkId, scope: Scope) -> Result<Network>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query(
        "SELECT * FROM networks WHERE id = $1 \
         AND ($2 = '' OR project = $2 OR shared = 1 OR external = 1)",
    )
    .bind(id.to_string())
    .bind(scope.filter())
    .fetch_optional(db)
    .await?
    .as_ref()
    .map(read)
    .transpose()?
    .ok_or_else(|| Error::NotFound(format!("network {id}")))
}

/// All networks that may be seen, oldest first.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn list<'e, D>(db: D, scope: Scope) -> Result<Vec<Network>>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query(
        "SELECT * FROM networks WHERE $1 = '' OR project = $1 OR shared = 1 OR external = 1 \
         ORDER BY created_at, id",
    )
    .bind(scope.filter())
    .fetch_all(db)
    .await?
    .iter()
    .map(read)
    .collect()
}

/// Writes the fields of `network` that can be changed: name, description, shared.
///
/// # Errors
/// [`Error::Conflict`] when it would no longer be shared although other projects have ports on it.
pub async fn update(tx: &mut Tx, network: &Network) -> Result<()> {
    if !network.shared {
        let others =
            sqlx::query("SELECT COUNT(*) AS n FROM ports WHERE network = $1 AND project <> $2")
                .bind(network.id.to_string())
                .bind(network.project.to_string())
                .fetch_one(tx.conn())
                .await?
                .number("n")?;
        if others > 0 {
            return Err(Error::Conflict(format!(
                "network {} must stay shared: {others} ports of other projects are on it",
                network.id
            )));
        }
    }
    sqlx::query(
        "UPDATE networks SET name = $2, description = $3, shared = $4, updated_at = $5 WHERE id = $1",
    )
    .bind(network.id.to_string())
    .bind(network.name.clone())
    .bind(network.description.clone())
    .bind(i64::from(network.shared))
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Removes a network and its subnet.
///
/// # Errors
/// [`Error::Conflict`] when ports are on it, or projects hold addresses of it.
pub async fn delete(tx: &mut Tx, id: NetworkId) -> Result<()> {
    // Whoever is getting an address, or making a port, counts.
    subnets::lock_of_network(tx, id).await?;
    super::floating::none_of(tx, id).await?;
    let ports = super::ports::count_on(tx.conn(), id).await?;
    if ports > 0 {
        return Err(Error::Conflict(format!(
            "network {id} is in use: {ports} ports are on it; delete them or their servers first"
        )));
    }
    sqlx::query("DELETE FROM networks WHERE id = $1")
        .bind(id.to_string())
        .execute(tx.conn())
        .await?;
    Ok(())
}
