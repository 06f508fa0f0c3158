//! Security groups: named sets of rules. Each project has one called `default`, made on first use.

use skybus_model::{
    Timestamp,
    id::{PortId, ProjectId, SecurityGroupId},
    network::Direction,
};
use sqlx::{Any, Executor, any::AnyRow};

use super::{
    Port, Scope, membership, ports, refresh,
    rules::{self, NewRule},
};
use crate::{Error, Result, Tx, row::Columns};

/// The name of the group that every project has.
pub const DEFAULT: &str = "default";

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: SecurityGroupId,
    /// The project that it belongs to.
    pub project: ProjectId,
    /// Its name; only `default` is unique in a project.
    pub name: String,
    /// What its owner says of it.
    pub description: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

fn read(row: &AnyRow) -> Result<Group> {
    Ok(Group {
        id: row.word("id")?,
        project: row.word("project")?,
        name: row.text("name")?,
        description: row.text("description")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Makes a group that lets everything out and nothing in.
///
/// # Errors
/// [`Error::Conflict`] when it would be a second `default`.
pub async fn create(
    tx: &mut Tx,
    project: ProjectId,
    name: &str,
    description: &str,
) -> Result<Group> {
    let Some(id) = insert(tx, project, name, description).await? else {
        return Err(Error::Conflict(
            "Default security group already exists.".to_owned(),
        ));
    };
    for ethertype in ["IPv4", "IPv6"] {
        rules::create(tx, id, project, NewRule::any(Direction::Egress, ethertype)).await?;
    }
    get(tx.conn(), id, Scope::Everything).await
}

/// The project's `default` group. It is made when it is missing: everything may leave, and what comes
/// from the group's own members may enter.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn ensure_default(tx: &mut Tx, project: ProjectId) -> Result<Group> {
    if let Some(group) = default_of(tx.conn(), project).await? {
        return Ok(group);
    }
    if let Some(id) = insert(tx, project, DEFAULT, "Default security group").await? {
        for ethertype in ["IPv4", "IPv6"] {
            rules::create(tx, id, project, NewRule::any(Direction::Egress, ethertype)).await?;
            let mut from_members = NewRule::any(Direction::Ingress, ethertype);
            from_members.remote_group = Some(id);
            rules::create(tx, id, project, from_members).await?;
        }
    }
    default_of(tx.conn(), project)
        .await?
        .ok_or_else(|| Error::NotFound(format!("default security group of project {project}")))
}

async fn default_of<'e, D>(db: D, project: ProjectId) -> Result<Option<Group>>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query("SELECT * FROM security_groups WHERE project = $1 AND name = 'default'")
        .bind(project.to_string())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// Whether the project's `default` group exists.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn has_default<'e, D>(db: D, project: ProjectId) -> Result<bool>
where
    D: Executor<'e, Database = Any>,
{
    Ok(default_of(db, project).await?.is_some())
}

async fn insert(
    tx: &mut Tx,
    project: ProjectId,
    name: &str,
    description: &str,
) -> Result<Option<SecurityGroupId>> {
    let id = SecurityGroupId::random();
    let done = sqlx::query(
        "INSERT INTO security_groups (id, project, name, description, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT DO NOTHING",
    )
    .bind(id.to_string())
    .bind(project.to_string())
    .bind(name.to_owned())
    .bind(description.to_owned())
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    Ok((done.rows_affected() == 1).then_some(id))
}

/// One group, if it may be seen.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or it belongs to someone else.
pub async fn get<'e, D>(db: D, id: SecurityGroupId, scope: Scope) -> Result<Group>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query("SELECT * FROM security_groups WHERE id = $1 AND ($2 = '' OR project = $2)")
        .bind(id.to_string())
        .bind(scope.filter())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read)
        .transpose()?
        .ok_or_else(|| Error::NotFound(format!("security group {id}")))
}

/// All groups that may be seen, oldest first.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn list<'e, D>(db: D, scope: Scope) -> Result<Vec<Group>>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query(
        "SELECT * FROM security_groups WHERE $1 = '' OR project = $1 ORDER BY created_at, id",
    )
    .bind(scope.filter())
    .fetch_all(db)
    .await?
    .iter()
    .map(read)
    .collect()
}

/// A project's groups of that name or id, for requests that name groups either way.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn named<'e, D>(db: D, project: ProjectId, name_or_id: &str) -> Result<Vec<Group>>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query(
        "SELECT * FROM security_groups WHERE project = $1 AND (name = $2 OR id = $2) \
         ORDER BY created_at, id",
    )
    .bind(project.to_string())
    .bind(name_or_id.to_owned())
    .fetch_all(db)
    .await?
    .iter()
    .map(read)
    .collect()
}

/// Gives a group a new name and description.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn update(tx: &mut Tx, group: &Group) -> Result<()> {
    sqlx::query(
        "UPDATE security_groups SET name = $2, description = $3, updated_at = $4 WHERE id = $1",
    )
    .bind(group.id.to_string())
    .bind(group.name.clone())
    .bind(group.description.clone())
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Removes a group with its rules, and the rules of other groups that speak of it.
///
/// # Errors
/// [`Error::Conflict`] when ports are guarded by it.
pub async fn delete(tx: &mut Tx, group: &Group) -> Result<()> {
    let used = sqlx::query("SELECT COUNT(*) AS n FROM port_groups WHERE security_group = $1")
        .bind(group.id.to_string())
        .fetch_one(tx.conn())
        .await?
        .number("n")?;
    if used > 0 {
        return Err(Error::Conflict(format!(
            "Security Group {} in use: it guards {used} ports.",
            group.id
        )));
    }
    let referring = sqlx::query(
        "SELECT DISTINCT security_group FROM security_group_rules WHERE remote_group = $1",
    )
    .bind(group.id.to_string())
    .fetch_all(tx.conn())
    .await?;
    let referring: Vec<SecurityGroupId> = referring
        .iter()
        .map(|row| row.word("security_group"))
        .collect::<Result<_>>()?;
    refresh::lock_subnets(tx, &referring).await?;
    for other in referring {
        refresh::rules_changed(tx, other).await?;
    }
    sqlx::query("DELETE FROM security_groups WHERE id = $1")
        .bind(group.id.to_string())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Makes `groups` the groups that guard a port, and marks it and its neighbours.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn set_of_port(tx: &mut Tx, port: &Port, groups: &[SecurityGroupId]) -> Result<()> {
    super::subnets::lock(tx, port.subnet).await?;
    // What was read before the lock may be old, and members are counted.
    let before = ports::get(tx.conn(), port.id, Scope::Everything).await?;
    leave_all(tx, port.id).await?;
    for group in groups {
        ports::add_group(tx, port.id, *group).await?;
    }
    refresh::port_changed(tx, port.id).await?;
    let now = ports::get(tx.conn(), port.id, Scope::Everything).await?;
    membership::regrouped(tx, &before, &now.groups).await
}

async fn leave_all(tx: &mut Tx, port: PortId) -> Result<()> {
    sqlx::query("DELETE FROM port_groups WHERE port = $1")
        .bind(port.to_string())
        .execute(tx.conn())
        .await?;
    Ok(())
}
