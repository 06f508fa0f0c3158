//! Quotas: what a project may use, and what it uses.
//!
//! Use is counted in rows of its own, which are changed by compare-and-set in the transaction that makes
//! or removes the thing itself: two requests at once cannot both take the last place, and nothing that
//! fails leaves use behind.

use std::{collections::BTreeMap, fmt};

use skybus_model::{host::Resources, id::ProjectId};
use sqlx::{Any, Executor, any::AnyRow};

use crate::{Result, Store, Tx, row::Columns};

/// No limit.
pub const UNLIMITED: i64 = -1;

macro_rules! resources {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $default:expr;)*) => {
        /// What is limited.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Resource { $($(#[$doc])* $variant,)* }

        impl Resource {
            /// Everything that is limited, in the order in which it is taken (two transactions that
            /// lock rows in the same order cannot wait for each other).
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word as Nova writes it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The limit of a project for which none was set.
            #[must_use]
            pub const fn default_limit(self) -> i64 {
                match self { $(Self::$variant => $default,)* }
            }

            /// The resource of that name.
            #[must_use]
            pub fn named(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|resource| resource.as_str() == word)
            }
        }
    };
}

resources! {
    /// Servers.
    Instances = "instances", 10;
    /// Virtual CPUs.
    Cores = "cores", 20;
    /// Memory, MiB.
    Ram = "ram", 51_200;
    /// Metadata items of one server.
    MetadataItems = "metadata_items", 128;
    /// Keypairs of one user.
    KeyPairs = "key_pairs", 100;
    /// Server groups.
    ServerGroups = "server_groups", 10;
    /// Servers in one group.
    ServerGroupMembers = "server_group_members", 10;
    /// Files given with a boot (microversions before 2.57).
    InjectedFiles = "injected_files", 5;
    /// Bytes of such a file.
    InjectedFileContentBytes = "injected_file_content_bytes", 10_240;
    /// Bytes of such a file's path.
    InjectedFilePathBytes = "injected_file_path_bytes", 255;
    /// Fixed IPs (microversions before 2.36; limited by the network itself).
    FixedIps = "fixed_ips", UNLIMITED;
    /// Floating IPs (microversions before 2.36). The limit is the Network API's; the use is counted here.
    FloatingIps = "floating_ips", crate::networks::quotas::Resource::FloatingIp.default_limit();
    /// Security groups (microversions before 2.36).
    SecurityGroups = "security_groups", UNLIMITED;
    /// Rules of one security group (microversions before 2.36).
    SecurityGroupRules = "security_group_rules", UNLIMITED;
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// More was asked for than the quota leaves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "Quota exceeded for {resource}: Requested {asked}, but already used {used} of {limit} {resource}"
)]
pub struct OverQuota {
    /// What is short.
    pub resource: Resource,
    /// What was asked for.
    pub asked: i64,
    /// What is used already.
    pub used: i64,
    /// The limit.
    pub limit: i64,
}

/// A project's limits, defaults included.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn limits<'e, D>(db: D, project: ProjectId) -> Result<BTreeMap<Resource, i64>>
where
    D: Executor<'e, Database = Any>,
{
    let rows = sqlx::query(
        "SELECT resource, hard FROM quota_limits WHERE project = $1 AND resource <> 'floating_ips' \
         UNION ALL SELECT 'floating_ips', most FROM network_quotas \
         WHERE project = $1 AND resource = 'floatingip'",
    )
    .bind(project.to_string())
    .fetch_all(db)
    .await?;
    let mut limits: BTreeMap<_, _> = Resource::ALL
        .iter()
        .map(|resource| (*resource, resource.default_limit()))
        .collect();
    limits.extend(numbers(&rows, "hard")?);
    Ok(limits)
}

/// What a project uses.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn usage(store: &Store, project: ProjectId) -> Result<BTreeMap<Resource, i64>> {
    let rows = sqlx::query("SELECT resource, used FROM quota_usage WHERE project = $1")
        .bind(project.to_string())
        .fetch_all(store.pool())
        .await?;
    let mut usage: BTreeMap<_, _> = Resource::ALL
        .iter()
        .map(|resource| (*resource, 0))
        .collect();
    usage.extend(numbers(&rows, "used")?);
    Ok(usage)
}

/// One limit of a project, inside a change.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn limit(tx: &mut Tx, project: ProjectId, resource: Resource) -> Result<i64> {
    let row = sqlx::query("SELECT hard FROM quota_limits WHERE project = $1 AND resource = $2")
        .bind(project.to_string())
        .bind(resource.as_str())
        .fetch_optional(tx.conn())
        .await?;
    row.map_or(Ok(resource.default_limit()), |row| row.number("hard"))
}

/// Sets a project's limit.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn set_limit(
    tx: &mut Tx,
    project: ProjectId,
    resource: Resource,
    hard: i64,
) -> Result<()> {
    if resource == Resource::FloatingIps {
        let same = crate::networks::quotas::Resource::FloatingIp;
        return crate::networks::quotas::set(tx, project, same, hard).await;
    }
    sqlx::query(
        "INSERT INTO quota_limits (project, resource, hard) VALUES ($1, $2, $3) \
         ON CONFLICT (project, resource) DO UPDATE SET hard = excluded.hard",
    )
    .bind(project.to_string())
    .bind(resource.as_str())
    .bind(hard)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Puts a project back to the defaults.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn reset_limits(tx: &mut Tx, project: ProjectId) -> Result<()> {
    sqlx::query("DELETE FROM quota_limits WHERE project = $1")
        .bind(project.to_string())
        .execute(tx.conn())
        .await?;
    // That one is kept with the Network API's; the others there are not spoken of here.
    let same = crate::networks::quotas::Resource::FloatingIp;
    crate::networks::quotas::unset(tx, project, same).await
}

/// Takes what `servers` servers of this size need, all of it or nothing.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails; the inner error when the quota does not allow it.
pub async fn take_servers(
    tx: &mut Tx,
    project: ProjectId,
    servers: i64,
    each: Resources,
) -> Result<std::result::Result<(), OverQuota>> {
    let holder = project.to_string();
    let limits = limits(tx.conn(), project).await?;
    let mut taken = Vec::new();
    for (resource, asked) in needs(servers, each) {
        let limit = limits[&resource];
        if let Err(over) = take(tx, &holder, resource, asked, limit).await? {
            for (resource, asked) in taken {
                give_back(tx, &holder, resource, asked).await?;
            }
            return Ok(Err(over));
        }
        taken.push((resource, asked));
    }
    Ok(Ok(()))
}

/// Gives back what one server of this size used; in the transaction in which it is deleted.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn give_back_server(tx: &mut Tx, project: ProjectId, each: Resources) -> Result<()> {
    for (resource, number) in needs(1, each) {
        give_back(tx, &project.to_string(), resource, number).await?;
    }
    Ok(())
}

/// Takes `asked` more of `resource` for `holder` (a project, or a user where the limit is a user's).
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails; the inner error when `limit` does not allow it.
pub async fn take(
    tx: &mut Tx,
    holder: &str,
    resource: Resource,
    asked: i64,
    limit: i64,
) -> Result<std::result::Result<(), OverQuota>> {
    // One statement takes, or says that it cannot: the first use of a resource is a new row.
    let taken = sqlx::query(
        "INSERT INTO quota_usage (project, resource, used) \
         SELECT $1, $2, CAST($3 AS BIGINT) WHERE $4 < 0 OR $3 <= $4 \
         ON CONFLICT (project, resource) DO UPDATE SET used = quota_usage.used + excluded.used \
         WHERE $4 < 0 OR quota_usage.used + excluded.used <= $4",
    )
    .bind(holder.to_owned())
    .bind(resource.as_str())
    .bind(asked)
    .bind(limit)
    .execute(tx.conn())
    .await?;
    if taken.rows_affected() == 1 {
        return Ok(Ok(()));
    }
    let row = sqlx::query("SELECT used FROM quota_usage WHERE project = $1 AND resource = $2")
        .bind(holder.to_owned())
        .bind(resource.as_str())
        .fetch_optional(tx.conn())
        .await?;
    Ok(Err(OverQuota {
        resource,
        asked,
        used: row.map_or(Ok(0), |row| row.number("used"))?,
        limit,
    }))
}

/// Gives back what [`take`] took; never below nothing.
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn give_back(tx: &mut Tx, holder: &str, resource: Resource, number: i64) -> Result<()> {
    sqlx::query(
        "UPDATE quota_usage SET used = CASE WHEN used > $3 THEN used - $3 ELSE 0 END \
         WHERE project = $1 AND resource = $2",
    )
    .bind(holder.to_owned())
    .bind(resource.as_str())
    .bind(number)
    .execute(tx.conn())
    .await?;
    Ok(())
}

const fn needs(servers: i64, each: Resources) -> [(Resource, i64); 3] {
    [
        (Resource::Instances, servers),
        (Resource::Cores, servers * each.vcpus),
        (Resource::Ram, servers * each.ram_mib),
    ]
}

fn numbers(rows: &[AnyRow], column: &'static str) -> Result<Vec<(Resource, i64)>> {
    let mut numbers = Vec::new();
    for row in rows {
        // A limit of something that a later version knows is of no concern to this one.
        if let Some(resource) = Resource::named(&row.text("resource")?) {
            numbers.push((resource, row.number(column)?));
        }
    }
    Ok(numbers)
}
