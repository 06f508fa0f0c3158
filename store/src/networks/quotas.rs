//! How many networks, subnets, ports, groups, rules and floating IPs a project may have.

use skybus_model::id::ProjectId;
use sqlx::{Any, AnyConnection, Executor};

use crate::{Error, Result, Tx, row::Columns};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Networks.
    Network,
    /// Subnets.
    Subnet,
    /// Ports.
    Port,
    /// Security groups.
    SecurityGroup,
    /// Rules of security groups.
    SecurityGroupRule,
    /// Floating IPs.
    FloatingIp,
}

impl Resource {
    /// Everything that is counted.
    pub const ALL: [Self; 6] = [
        Self::Network,
        Self::Subnet,
        Self::Port,
        Self::SecurityGroup,
        Self::SecurityGroupRule,
        Self::FloatingIp,
    ];

    /// Its name in the Network API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Subnet => "subnet",
            Self::Port => "port",
            Self::SecurityGroup => "security_group",
            Self::SecurityGroupRule => "security_group_rule",
            Self::FloatingIp => "floatingip",
        }
    }

    /// How many a project may have if nobody said otherwise.
    #[must_use]
    pub const fn default_limit(self) -> i64 {
        match self {
            Self::Network | Self::Subnet | Self::SecurityGroup => 100,
            Self::Port => 500,
            Self::SecurityGroupRule => 1000,
            Self::FloatingIp => 50,
        }
    }

    /// What waits for its first use is nobody's yet.
    const fn count_query(self) -> &'static str {
        match self {
            Self::Network => "SELECT COUNT(*) AS n FROM networks WHERE project = $1 AND waits = 0",
            Self::Subnet => {
                "SELECT COUNT(*) AS n FROM subnets s JOIN networks n ON n.id = s.network \
                 WHERE s.project = $1 AND n.waits = 0"
            }
            Self::Port => "SELECT COUNT(*) AS n FROM ports WHERE project = $1",
            Self::SecurityGroup => "SELECT COUNT(*) AS n FROM security_groups WHERE project = $1",
            Self::SecurityGroupRule => {
                "SELECT COUNT(*) AS n FROM security_group_rules WHERE project = $1"
            }
            Self::FloatingIp => "SELECT COUNT(*) AS n FROM floating_ips WHERE project = $1",
        }
    }
}

/// How many of `resource` a project may have; -1 means as many as it likes.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn limit<'e, D>(db: D, project: ProjectId, resource: Resource) -> Result<i64>
where
    D: Executor<'e, Database = Any>,
{
    let row = sqlx::query("SELECT most FROM network_quotas WHERE project = $1 AND resource = $2")
        .bind(project.to_string())
        .bind(resource.as_str())
        .fetch_optional(db)
        .await?;
    row.map_or_else(|| Ok(resource.default_limit()), |row| row.number("most"))
}

/// How many of `resource` a project has.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn used<'e, D>(db: D, project: ProjectId, resource: Resource) -> Result<i64>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query(resource.count_query())
        .bind(project.to_string())
        .fetch_one(db)
        .await?
        .number("n")
}

/// What one more would be refused with: `(limit, used)`, or `None` when it fits.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn exceeded(
    conn: &mut AnyConnection,
    project: ProjectId,
    resource: Resource,
) -> Result<Option<(i64, i64)>> {
    let limit = limit(&mut *conn, project, resource).await?;
    if limit < 0 {
        return Ok(None);
    }
    let used = used(conn, project, resource).await?;
    Ok((used >= limit).then_some((limit, used)))
}

/// Sets how many of `resource` a project may have; -1 means as many as it likes.
///
/// # Errors
/// [`Error::Conflict`] when the number is below -1.
pub async fn set(tx: &mut Tx, project: ProjectId, resource: Resource, most: i64) -> Result<()> {
    if most < -1 {
        return Err(Error::Conflict(format!(
            "a quota is -1 (no limit) or more, not {most}"
        )));
    }
    sqlx::query(
        "INSERT INTO network_quotas (project, resource, most) VALUES ($1, $2, $3) \
         ON CONFLICT (project, resource) DO UPDATE SET most = excluded.most",
    )
    .bind(project.to_string())
    .bind(resource.as_str())
    .bind(most)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Forgets what was set for one resource of a project: the default holds again.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn unset(tx: &mut Tx, project: ProjectId, resource: Resource) -> Result<()> {
    sqlx::query("DELETE FROM network_quotas WHERE project = $1 AND resource = $2")
        .bind(project.to_string())
        .bind(resource.as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Forgets what was set for a project: the defaults hold again.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn reset(tx: &mut Tx, project: ProjectId) -> Result<()> {
    sqlx::query("DELETE FROM network_quotas WHERE project = $1")
        .bind(project.to_string())
        .execute(tx.conn())
        .await?;
    Ok(())
}
