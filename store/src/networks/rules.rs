//! Rules of security groups: each lets one kind of packet pass.

use skybus_model::{
    Timestamp,
    id::{ProjectId, SecurityGroupId, SecurityGroupRuleId},
    network::Direction,
};
use sqlx::{Any, Executor, any::AnyRow};

use super::{Scope, refresh};
use crate::{Error, Result, Tx, row::Columns};

/// The protocols that have names, with their numbers.
pub const PROTOCOLS: &[(&str, u8)] = &[
    ("icmp", 1),
    ("igmp", 2),
    ("ipip", 4),
    ("tcp", 6),
    ("egp", 8),
    ("udp", 17),
    ("dccp", 33),
    ("ipv6-encap", 41),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ipv6-icmp", 58),
    ("icmpv6", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("ospf", 89),
    ("pgm", 113),
    ("vrrp", 112),
    ("sctp", 132),
    ("udplite", 136),
];

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its id.
    pub id: SecurityGroupRuleId,
    /// The group that it belongs to.
    pub group: SecurityGroupId,
    /// The project that it belongs to.
    pub project: ProjectId,
    /// What its owner says of it.
    pub description: String,
    /// Which way the packets go.
    pub direction: Direction,
    /// `IPv4` or `IPv6`.
    pub ethertype: String,
    /// A protocol's name or number; any when absent.
    pub protocol: Option<String>,
    /// The lowest port, or the ICMP type.
    pub port_min: Option<i64>,
    /// The highest port, or the ICMP code.
    pub port_max: Option<i64>,
    /// From or to these addresses.
    pub remote_prefix: Option<String>,
    /// From or to the members of this group.
    pub remote_group: Option<SecurityGroupId>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a rule is made from; it has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRule {
    /// Which way the packets go.
    pub direction: Direction,
    /// `IPv4` or `IPv6`.
    pub ethertype: String,
    /// A protocol's name or number; any when absent.
    pub protocol: Option<String>,
    /// The lowest port, or the ICMP type.
    pub port_min: Option<i64>,
    /// The highest port, or the ICMP code.
    pub port_max: Option<i64>,
    /// From or to these addresses.
    pub remote_prefix: Option<String>,
    /// From or to the members of this group.
    pub remote_group: Option<SecurityGroupId>,
    /// What its owner says of it.
    pub description: String,
}

/// A protocol's number by its name or number.
#[must_use]
pub fn number_of(protocol: &str) -> Option<u8> {
    let named = PROTOCOLS
        .iter()
        .find(|(name, _)| *name == protocol)
        .map(|(_, number)| *number);
    named.or_else(|| protocol.parse().ok())
}

impl NewRule {
    /// A rule for every packet of `ethertype`.
    #[must_use]
    pub fn any(direction: Direction, ethertype: &str) -> Self {
        Self {
            direction,
            ethertype: ethertype.to_owned(),
            protocol: None,
            port_min: None,
            port_max: None,
            remote_prefix: None,
            remote_group: None,
            description: String::new(),
        }
    }

    /// What it allows, as one text. `0.0.0.0/0` and no prefix allow the same, as do `tcp` and `6`.
    fn meaning(&self) -> String {
        let protocol = self.protocol.as_deref().map_or_else(
            || "any".to_owned(),
            |name| number_of(name).map_or_else(|| name.to_owned(), |number| number.to_string()),
        );
        let number = |n: Option<i64>| n.map_or_else(|| "*".to_owned(), |n| n.to_string());
        let prefix = match self.remote_prefix.as_deref() {
            None | Some("0.0.0.0/0" | "::/0") => "*",
            Some(prefix) => prefix,
        };
        let group = self
            .remote_group
            .map_or_else(|| "*".to_owned(), |group| group.to_string());
        format!(
            "{} {} {protocol} {} {} {prefix} {group}",
            self.direction,
            self.ethertype,
            number(self.port_min),
            number(self.port_max)
        )
    }
}

impl Rule {
    /// Whether it speaks of IPv4, the only kind of address that ports have.
    #[must_use]
    pub fn is_ipv4(&self) -> bool {
        self.ethertype == "IPv4"
    }

    /// The number of its protocol; any when absent.
    #[must_use]
    pub fn protocol_number(&self) -> Option<u8> {
        self.protocol.as_deref().and_then(number_of)
    }
}

fn read(row: &AnyRow) -> Result<Rule> {
    Ok(Rule {
        id: row.word("id")?,
        group: row.word("security_group")?,
        project: row.word("project")?,
        description: row.text("description")?,
        direction: row.word("direction")?,
        ethertype: row.text("ethertype")?,
        protocol: row.maybe_text("protocol")?,
        port_min: row.maybe_number("port_min")?,
        port_max: row.maybe_number("port_max")?,
        remote_prefix: row.maybe_text("remote_prefix")?,
        remote_group: row.maybe_word("remote_group")?,
        created_at: row.time("created_at")?,
    })
}

/// Adds a rule to a group and marks the ports that the group guards.
///
/// # Errors
/// [`Error::Conflict`] when the group has a rule that allows the same.
pub async fn create(
    tx: &mut Tx,
    group: SecurityGroupId,
    project: ProjectId,
    new: NewRule,
) -> Result<Rule> {
    let id = SecurityGroupRuleId::random();
    let meaning = new.meaning();
    let done = sqlx::query(
        "INSERT INTO security_group_rules (id, security_group, project, description, direction, \
         ethertype, protocol, port_min, port_max, remote_prefix, remote_group, meaning, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
         ON CONFLICT (security_group, meaning) DO NOTHING",
    )
    .bind(id.to_string())
    .bind(group.to_string())
    .bind(project.to_string())
    .bind(new.description)
    .bind(new.direction.as_str())
    .bind(new.ethertype)
    .bind(new.protocol)
    .bind(new.port_min)
    .bind(new.port_max)
    .bind(new.remote_prefix)
    .bind(new.remote_group.map(|group| group.to_string()))
    .bind(meaning.clone())
    .bind(Timestamp::now().micros())
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        let row = sqlx::query(
            "SELECT id FROM security_group_rules WHERE security_group = $1 AND meaning = $2",
        )
        .bind(group.to_string())
        .bind(meaning)
        .fetch_one(tx.conn())
        .await?;
        let existing = row.text("id")?;
        return Err(Error::Conflict(format!(
            "Security group rule already exists. Rule id is {existing}."
        )));
    }
    refresh::rules_changed(tx, group).await?;
    get(tx.conn(), id, Scope::Everything).await
}

/// One rule, if it may be seen.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or it belongs to someone else.
pub async fn get<'e, D>(db: D, id: SecurityGroupRuleId, scope: Scope) -> Result<Rule>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query("SELECT * FROM security_group_rules WHERE id = $1 AND ($2 = '' OR project = $2)")
        .bind(id.to_string())
        .bind(scope.filter())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read)
        .transpose()?
        .ok_or_else(|| Error::NotFound(format!("security group rule {id}")))
}

/// All rules that may be seen, oldest first.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn list<'e, D>(db: D, scope: Scope) -> Result<Vec<Rule>>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query(
        "SELECT * FROM security_group_rules WHERE $1 = '' OR project = $1 ORDER BY created_at, id",
    )
    .bind(scope.filter())
    .fetch_all(db)
    .await?
    .iter()
    .map(read)
    .collect()
}

/// The rules of one group, oldest first.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn of_group<'e, D>(db: D, group: SecurityGroupId) -> Result<Vec<Rule>>
where
    D: Executor<'e, Database = Any>,
{
    sqlx::query(
        "SELECT * FROM security_group_rules WHERE security_group = $1 ORDER BY created_at, id",
    )
    .bind(group.to_string())
    .fetch_all(db)
    .await?
    .iter()
    .map(read)
    .collect()
}

/// Removes a rule and marks the ports that its group guards.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn delete(tx: &mut Tx, rule: &Rule) -> Result<()> {
    sqlx::query("DELETE FROM security_group_rules WHERE id = $1")
        .bind(rule.id.to_string())
        .execute(tx.conn())
        .await?;
    refresh::rules_changed(tx, rule.group).await
}
