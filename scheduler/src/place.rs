//! The handler of `server.place`, from top to bottom: load, filter, weigh, claim, write down, send.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use skybus_bus::{Delivery, Verdict, relay::Relay};
use skybus_fault::{self as fault, Point};
use skybus_model::{Fault, FaultCode, HostName, message::command::ServerPlace, segment::Segment};
use skybus_store::{
    Store, Tx, hosts, hosts::Ratios, lifecycle::placed, networks::network, operations::Operation,
    servers::Server, signed_path::PathKey,
};

use crate::{
    config::Placement,
    filters::{self, Ask, NETWORKS},
    fleet::{Fleet, HostView},
    weighers,
};

/// How many hosts are remembered that would have done as well.
const ALTERNATES: usize = 3;

/// What places servers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Placer {
    /// The database.
    pub store: Store,
    /// The hosts.
    pub fleet: Arc<Fleet>,
    /// Sends what was committed.
    pub relay: Relay<Store>,
    /// Signs addresses in commands.
    pub key: PathKey,
    /// Allocation ratios.
    pub ratios: Ratios,
    /// Spread or pack.
    pub placement: Placement,
}

impl Placer {
    /// Handles one `server.place`. It is acknowledged once the decision is committed.
    pub async fn handle(&self, delivery: Delivery) -> Verdict {
        let command = match delivery.decode::<ServerPlace>() {
            Ok(command) => command,
            Err(error) => return error.into(),
        };
        self.hear_out().await;
        match self.place(&command).await {
            Ok(()) => Verdict::Ack,
            Err(skybus_store::Error::NotFound(what)) => {
                Verdict::Reject(format!("there is no {what}"))
            }
            Err(error) => {
                tracing::warn!(server = %command.server, %error, "cannot place now");
                Verdict::Retry
            }
        }
    }

    /// Waits until it can be known which hosts are silent.
    async fn hear_out(&self) {
        while !self.fleet.is_heard_out(Instant::now()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn place(&self, command: &ServerPlace) -> skybus_store::Result<()> {
        let mut tx = self.store.begin().await?;
        let Some((mut server, mut operation)) = placed::waiting(&mut tx, command).await? else {
            tracing::debug!(server = %command.server, "is placed already, or not wanted any more");
            return Ok(());
        };
        let segments = network::segments_of_server(&mut tx, server.id).await?;
        let ask = self.ask(&server, &operation, segments);
        let (fitting, mut refused) = self.judge(&ask);
        let ranked = first_alternates(
            weighers::in_order(fitting, &ask, self.placement),
            &operation.alternates,
        );
        match self.claim(&mut tx, &ranked, &ask, &mut refused).await? {
            Some((host, alternates)) => {
                let detail = detail(&alternates, &refused);
                fault::hit(Point::SchedulerClaimed, "");
                let chosen = (host.clone(), alternates);
                let how = (&self.key, detail);
                placed::on(&mut tx, &mut server, &mut operation, chosen, how).await?;
                self.relay.push(tx.commit().await?);
                self.fleet.claimed(&host, ask.resources);
                tracing::info!(server = %server.id, %host, request = operation.context.request_id,
                    "placed");
                metrics::counter!("skybus_scheduler_placed").increment(1);
            }
            None => {
                let fault = no_valid_host(&ask, &refused);
                tracing::info!(server = %server.id, request = operation.context.request_id,
                    "{fault}");
                placed::nowhere(&mut tx, &mut server, &mut operation, fault).await?;
                self.relay.push(tx.commit().await?);
                metrics::counter!("skybus_scheduler_refused").increment(1);
            }
        }
        Ok(())
    }

    fn ask(&self, server: &Server, operation: &Operation, segments: Vec<Segment>) -> Ask {
        let (zone, host) = Ask::split_zone(server.zone.as_deref());
        Ask {
            resources: server.resources,
            zone,
            host,
            image: server.image_bytes.properties.clone(),
            segments,
            tried: operation.tried.clone(),
            ratios: self.ratios,
            now: Instant::now(),
        }
    }

    fn judge(&self, ask: &Ask) -> (Vec<HostView>, Refusals) {
        let mut fitting = Vec::new();
        let mut refused = Refusals::new();
        for host in self.fleet.read().values().filter(|host| host.is_compute()) {
            match filters::refusal(host, ask) {
                None => fitting.push(host.clone()),
                Some(why) => {
                    refused.insert(host.name.clone(), why);
                }
            }
        }
        (fitting, refused)
    }

    /// Claims the first host that still has room; others may have taken it since it was last looked at.
    async fn claim(
        &self,
        tx: &mut Tx,
        ranked: &[HostView],
        ask: &Ask,
        refused: &mut Refusals,
    ) -> skybus_store::Result<Option<(HostName, Vec<HostName>)>> {
        for (place, host) in ranked.iter().enumerate() {
            if hosts::claim(tx, &host.name, ask.resources, self.ratios).await? {
                let others = ranked[place + 1..].iter().take(ALTERNATES);
                return Ok(Some((
                    host.name.clone(),
                    others.map(|h| h.name.clone()).collect(),
                )));
            }
            let reason = "another server took the room at the same moment, or it was just closed";
            refused.insert(host.name.clone(), ("claim", reason.to_owned()));
        }
        Ok(None)
    }
}

/// Hosts that were refused, by name, each with the filter that refused it and why.
type Refusals = BTreeMap<HostName, (&'static str, String)>;

/// A boot that another host failed goes to the alternates that were remembered for it, if they still fit.
fn first_alternates(mut ranked: Vec<HostView>, alternates: &[HostName]) -> Vec<HostView> {
    let place = |host: &HostView| {
        alternates
            .iter()
            .position(|name| *name == host.name)
            .unwrap_or(alternates.len())
    };
    ranked.sort_by_key(place);
    ranked
}

fn detail(alternates: &[HostName], refused: &Refusals) -> String {
    let names: Vec<&str> = alternates.iter().map(HostName::as_str).collect();
    let mut text = if names.is_empty() {
        "no alternates".to_owned()
    } else {
        format!("alternates: {}", names.join(", "))
    };
    if !refused.is_empty() {
        text.push_str("; refused: ");
        text.push_str(&list(refused, 20));
    }
    text
}

fn list(refused: &Refusals, most: usize) -> String {
    let mut lines: Vec<String> = refused
        .iter()
        .take(most)
        .map(|(host, (filter, why))| format!("{host}: {filter}: {why}"))
        .collect();
    if refused.len() > most {
        lines.push(format!("and {} more hosts", refused.len() - most));
    }
    lines.join("; ")
}

/// What speaks against the hosts, without their names, which are no business of a server's owner:
/// `2 hosts: ram: 300000 MiB are wanted and 100 free`.
fn in_sum(refused: &Refusals, ask: &Ask) -> String {
    let mut by_filter: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for (filter, why) in refused.values() {
        by_filter.entry(filter).or_insert((0, why.as_str())).0 += 1;
    }
    let lines = by_filter.into_iter().map(|(filter, (hosts, why))| {
        let hosts = match hosts {
            1 => "1 host".to_owned(),
            more => format!("{more} hosts"),
        };
        let why = filters::for_owner(filter, ask).unwrap_or_else(|| why.to_owned());
        format!("{hosts}: {filter}: {why}")
    });
    lines.collect::<Vec<_>>().join("; ")
}

fn no_valid_host(ask: &Ask, refused: &Refusals) -> Fault {
    let wanted = ask.resources;
    let asked = format!(
        "{} vCPUs, {} MiB of memory, {} GiB of disk",
        wanted.vcpus, wanted.ram_mib, wanted.disk_gib
    );
    if refused.is_empty() {
        let message = format!(
            "No valid host was found for {asked}: no compute host has joined yet. Start \
             `skybus-compute` and `skybus-network` on one, and boot again."
        );
        return Fault::new(FaultCode::NoValidHost, message);
    }
    let of_networks = |(filter, _): &(&str, String)| *filter == NETWORKS;
    let next = if refused.values().all(of_networks) {
        "Boot on another network, or ask an operator for hosts that carry this one."
    } else {
        "Choose a smaller flavor or another zone, delete servers, or add a host."
    };
    let message = format!(
        "No valid host was found for {asked}. {} can take it: {}. {next}",
        match refused.len() {
            1 => "Not even the one host there is".to_owned(),
            hosts => format!("None of the {hosts} hosts"),
        },
        in_sum(refused, ask)
    );
    Fault::new(FaultCode::NoValidHost, message).with_details(list(refused, 1000))
}

#[cfg(test)]
mod tests;
