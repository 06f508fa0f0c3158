//! Networks: a project's own piece of layer 2, or one that everybody shares.

use skybus_model::{
    Timestamp,
    id::{NetworkId, ProjectId},
    segment::{Segment, SegmentKind},
};
use sqlx::{Any, Executor, any::AnyRow};

use super::{Scope, segments, subnets};
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
    /// What carries its frames between hosts; it keeps it.
    pub segment: Segment,
    /// Grows with each change of what all its hosts are told.
    pub revision: i64,
    /// Whether it waits for its first use, by whichever project comes first.
    pub waits: bool,
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
    /// The largest packet; `None`: as large as its segment carries.
    pub mtu: Option<u16>,
    /// What carries its frames between hosts.
    pub segment: Segment,
    /// Nothing; or it waits for its first use, and this is its place among those that do.
    pub waits: Option<i64>,
}

/// The largest packet of a network for which nobody said.
#[must_use]
pub const fn default_mtu(segment: &Segment) -> u16 {
    1500 - segment.overhead()
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
        segment: segments::read(row)?,
        revision: row.number("revision")?,
        waits: row.number("waits")? > 0,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Makes a network.
///
/// # Errors
/// [`Error::Conflict`] when another network has its segment.
pub async fn create(tx: &mut Tx, new: NewNetwork) -> Result<Network> {
    let segment = new.segment.clone();
    insert(tx, new)
        .await?
        .ok_or_else(|| Error::Conflict(in_use(&segment)))
}

/// That a segment has its network already, in Neutron's words.
fn in_use(segment: &Segment) -> String {
    let what = match segment {
        Segment::Local => "The segment is in use.".to_owned(),
        Segment::Flat { physical } => format!("Physical network {physical} is in use."),
        Segment::Vlan { physical, id } => {
            format!("The VLAN {id} on physical network {physical} is in use.")
        }
        Segment::Vxlan { vni } => format!("The tunnel ID {vni} is in use."),
    };
    format!("Unable to create the network. {what}")
}

/// Makes a network unless another one has its segment.
pub(super) async fn insert(tx: &mut Tx, new: NewNetwork) -> Result<Option<Network>> {
    let now = Timestamp::now();
    let network = Network {
        id: NetworkId::random(),
        project: new.project,
        name: new.name,
        description: new.description,
        shared: new.shared,
        external: new.external,
        mtu: new.mtu.unwrap_or_else(|| default_mtu(&new.segment)),
        segment: new.segment,
        revision: 1,
        waits: new.waits.is_some(),
        created_at: now,
        updated_at: now,
    };
    let (kind, physical, number) = segments::columns(&network.segment);
    let done = sqlx::query(
        "INSERT INTO networks (id, project, name, description, shared, external, mtu, segment, physical, \
         number, revision, waits, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13) ON CONFLICT DO NOTHING",
    )
    .bind(network.id.to_string())
    .bind(network.project.to_string())
    .bind(network.name.clone())
    .bind(network.description.clone())
    .bind(i64::from(network.shared))
    .bind(i64::from(network.external))
    .bind(i64::from(network.mtu))
    .bind(kind.as_str())
    .bind(physical)
    .bind(number)
    .bind(network.revision)
    .bind(new.waits.unwrap_or_default())
    .bind(now.micros())
    .execute(tx.conn())
    .await?;
    Ok((done.rows_affected() == 1).then_some(network))
}

/// Of what all hosts of a network are told something changes with this transaction, which has locked its
/// subnet. The number also grows beyond what it was before the database was restored from a backup.
pub(super) async fn revise(tx: &mut Tx, id: NetworkId) -> Result<()> {
    sqlx::query(
        "UPDATE networks SET revision = CASE WHEN revision >= $2 THEN revision + 1 ELSE $2 END \
         WHERE id = $1",
    )
    .bind(id.to_string())
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The segments of the networks that a server's ports are on, but for local ones, which every host has.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn segments_of_server(
    tx: &mut Tx,
    server: skybus_model::id::ServerId,
) -> Result<Vec<Segment>> {
    sqlx::query(
        "SELECT DISTINCT n.segment, n.physical, n.number FROM ports p \
         JOIN networks n ON n.id = p.network WHERE p.server = $1 AND n.segment <> $2",
    )
    .bind(server.to_string())
    .bind(SegmentKind::Local.as_str())
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(segments::read)
    .collect()
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

/// Writes the fields of `network` that can be changed: name, description, shared. One that is shared waits for
/// nobody any more.
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
        "UPDATE networks SET name = $2, description = $3, shared = $4, updated_at = $5, \
         waits = CASE WHEN $4 = 1 THEN 0 ELSE waits END WHERE id = $1",
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
