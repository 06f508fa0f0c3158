//! Cutting a range of addresses into networks of one size, which then wait for their first use.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use skybus_model::{
    id::{NetworkId, ProjectId},
    segment::{NotASegment, PhysicalNetwork, Segment, VlanId},
};

use super::{
    allocation::{self, BadPools},
    network::{self, NewNetwork},
    segments,
    subnets::{self, NewSubnet},
};
use crate::{
    Engine, Error, Result, Tx,
    row::{Columns, places},
};

/// The most networks that are made at once.
pub const MOST: u32 = 4096;

/// What the networks are carried by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Local,
    /// VLANs of this physical network, from the first number on.
    Vlan(PhysicalNetwork, u32),
    /// VXLANs, from the first number on.
    Vxlan(u32),
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// What their names begin with.
    pub name: String,
    /// The addresses.
    pub range: Ipv4Net,
    /// How many networks.
    pub count: u32,
    /// How many addresses each has.
    pub size: u32,
    /// What they are carried by.
    pub kind: Kind,
    /// Name servers for their guests.
    pub dns: Vec<Ipv4Addr>,
}

/// Why a range cannot be cut so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCut {
    /// The number of addresses is no power of two.
    #[error("size is {0}; it must be a power of two, such as 256 or 512, and at least 8")]
    Size(u32),
    /// There are none, or too many.
    #[error("count is {0}; make between 1 and {MOST} networks at once")]
    Count(u32),
    /// The range is too small.
    #[error("{range} has room for {fit} networks of {size} addresses, not for {count}")]
    Room {
        /// The range.
        range: Ipv4Net,
        /// How many would fit.
        fit: u64,
        /// How many addresses each is to have.
        size: u32,
        /// How many are wanted.
        count: u32,
    },
    /// The last number would be none.
    #[error("the {count} networks from {first} on would end at {last}: {why}")]
    Numbers {
        /// How many are wanted.
        count: u32,
        /// The first number.
        first: u32,
        /// The last number.
        last: u64,
        /// What is wrong with it.
        why: NotASegment,
    },
    /// The first number is none.
    #[error(transparent)]
    First(NotASegment),
    /// The addresses do not make a subnet.
    #[error(transparent)]
    Pools(#[from] BadPools),
}

/// One network that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its name.
    pub name: String,
    /// Its addresses.
    pub cidr: Ipv4Net,
    /// What carries it.
    pub segment: Segment,
    /// Its place among those that wait.
    pub place: i64,
}

/// One network that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its id.
    pub id: NetworkId,
    /// What it was made from.
    pub piece: Piece,
}

impl Cut {
    /// The networks, in order.
    ///
    /// # Errors
    /// [`BadCut`] with the first thing that is wrong.
    pub fn pieces(&self) -> std::result::Result<Vec<Piece>, BadCut> {
        if !self.size.is_power_of_two() || self.size < 8 {
            return Err(BadCut::Size(self.size));
        }
        if self.count == 0 || self.count > MOST {
            return Err(BadCut::Count(self.count));
        }
        let range = self.range.trunc();
        let fit = (1_u64 << (32 - range.prefix_len())) / u64::from(self.size);
        if fit < u64::from(self.count) {
            return Err(BadCut::Room {
                range,
                fit,
                size: self.size,
                count: self.count,
            });
        }
        let prefix = u8::try_from(32 - self.size.trailing_zeros()).unwrap_or(32);
        let first = u32::from(range.network());
        (0..self.count)
            .map(|n| {
                let (segment, number) = self.segment(n)?;
                let start: Ipv4Addr = (first + n * self.size).into();
                Ok(Piece {
                    name: format!("{}-{number}", self.name),
                    cidr: Ipv4Net::new_assert(start, prefix),
                    segment,
                    place: i64::from(number),
                })
            })
            .collect()
    }

    /// The `n`th segment, and the number that its network's name ends with; local ones are counted from 1.
    fn segment(&self, n: u32) -> std::result::Result<(Segment, u32), BadCut> {
        match &self.kind {
            Kind::Local => Ok((Segment::Local, n + 1)),
            Kind::Vlan(physical, first) => {
                let number = first.saturating_add(n);
                let id: VlanId = number.try_into().map_err(|why| self.bad(*first, why))?;
                let physical = physical.clone();
                Ok((Segment::Vlan { physical, id }, number))
            }
            Kind::Vxlan(first) => {
                let number = first.saturating_add(n);
                let vni = number.try_into().map_err(|why| self.bad(*first, why))?;
                Ok((Segment::Vxlan { vni }, number))
            }
        }
    }

    fn bad(&self, first: u32, why: NotASegment) -> BadCut {
        match why {
            NotASegment::Vlan(number) | NotASegment::Vni(number) if number != first => {
                BadCut::Numbers {
                    count: self.count,
                    first,
                    last: u64::from(first) + u64::from(self.count) - 1,
                    why,
                }
            }
            why => BadCut::First(why),
        }
    }
}

/// Makes the networks of a cut with their subnets for `project`, all or none; they wait for their first use.
///
/// # Errors
/// [`Error::Conflict`] when there are networks of these names with these addresses already, or a number is taken.
pub async fn make(
    tx: &mut Tx,
    project: ProjectId,
    pieces: &[Piece],
    dns: &[Ipv4Addr],
) -> Result<Vec<Made>> {
    one_at_a_time(tx).await?;
    none_exist(tx, pieces).await?;
    let mut made = Vec::new();
    for piece in pieces {
        let new = NewNetwork {
            project,
            name: piece.name.clone(),
            description: String::new(),
            shared: false,
            external: false,
            mtu: None,
            segment: piece.segment.clone(),
            waits: Some(piece.place),
        };
        let Some(network) = network::insert(tx, new).await? else {
            return Err(taken(tx, &piece.segment).await);
        };
        let gateway = allocation::usable(piece.cidr).map_err(refused)?.start;
        let subnet = NewSubnet {
            network: network.id,
            project,
            name: piece.name.clone(),
            description: String::new(),
            cidr: piece.cidr,
            gateway,
            dns: dns.to_vec(),
            pools: allocation::default_pools(piece.cidr, gateway).map_err(refused)?,
        };
        subnets::create(tx, subnet).await?;
        made.push(Made {
            id: network.id,
            piece: piece.clone(),
        });
    }
    Ok(made)
}

fn refused(bad: BadPools) -> Error {
    Error::Conflict(bad.to_string())
}

async fn taken(tx: &mut Tx, segment: &Segment) -> Error {
    let (kind, physical, number) = segments::columns(segment);
    let found = sqlx::query(
        "SELECT id, name FROM networks WHERE segment = $1 AND physical = $2 AND number = $3",
    )
    .bind(kind.as_str())
    .bind(physical)
    .bind(number)
    .fetch_optional(tx.conn())
    .await;
    let by = match found {
        Ok(Some(row)) => match (row.text("name"), row.text("id")) {
            (Ok(name), Ok(id)) => format!(" by network {name} ({id})"),
            _ => String::new(),
        },
        _ => String::new(),
    };
    Error::Conflict(format!("{segment} is taken{by}; no network was made"))
}

/// Two cuts at once would both find that their networks do not exist; the ranges' lock is theirs, too.
async fn one_at_a_time(tx: &mut Tx) -> Result<()> {
    if tx.engine() == Engine::Postgres {
        sqlx::query("SELECT kind FROM segment_kinds ORDER BY kind FOR UPDATE")
            .fetch_all(tx.conn())
            .await?;
    }
    Ok(())
}

/// Refuses what was made before: networks of these names on these segments with these addresses.
async fn none_exist(tx: &mut Tx, pieces: &[Piece]) -> Result<()> {
    let mut exist = Vec::new();
    for some in pieces.chunks(100) {
        let text = format!(
            "SELECT n.name, n.segment, n.physical, n.number, s.cidr FROM networks n \
             JOIN subnets s ON s.network = n.id WHERE n.name IN ({})",
            places(1..=some.len())
        );
        // Only numbered places are put into the text; the names are bound.
        let mut query = sqlx::query(sqlx::AssertSqlSafe(text));
        for piece in some {
            query = query.bind(piece.name.clone());
        }
        for row in &query.fetch_all(tx.conn()).await? {
            let (name, cidr) = (row.text("name")?, row.text("cidr")?);
            let segment = segments::read(row)?;
            let same = |piece: &&Piece| piece.name == name && piece.segment == segment;
            if let Some(piece) = some.iter().find(same)
                && piece.cidr.to_string() == cidr
                && !exist.contains(&name)
            {
                exist.push(name);
            }
        }
    }
    match exist.len() {
        0 => Ok(()),
        n if n == pieces.len() => Err(Error::Conflict(format!(
            "all of these networks exist already: {}",
            told(&exist)
        ))),
        n => Err(Error::Conflict(format!(
            "{n} of these {} networks exist already, with the same addresses: {}; no network was made",
            pieces.len(),
            told(&exist)
        ))),
    }
}

fn told(names: &[String]) -> String {
    match names {
        [first, .., last] if names.len() > 20 => format!("{first} to {last}"),
        few => few.join(", "),
    }
}
