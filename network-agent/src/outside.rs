//! Where a host's floating IPs lead, and who answers for them: a route into the namespace for each, and on
//! the wire of the public interface an answer to ARP. Pure functions.
//!
//! Routes bear their mark by the link that they lead through, which is the cloud's. The entries by which
//! the kernel answers bear none, so the cloud's table of nft says which are its own: they are taken away
//! before they are struck from it, and made after they are entered.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use serde::Deserialize;

use crate::{
    desired::{Network, TRANSIT_PREFIX, transit_link},
    observed::{Link, Links, Route},
    transit::Transit,
    tunnels::Tunnels,
};

/// An interface and an address that belongs to it in some way.
pub type At = (String, Ipv4Addr);

/// An address that the host answers for, as `ip -json neigh show proxy` shows it.
#[derive(Debug, Clone, Deserialize)]
pub struct Answered {
    /// The address.
    #[serde(default)]
    pub dst: String,
    /// On which interface.
    #[serde(default)]
    pub dev: String,
}

/// What the host's own part holds of its networks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Part {
    /// The networks' links, each with its transit addresses.
    pub links: BTreeMap<String, Transit>,
    /// Which name servers may be asked through which link.
    pub name_servers: BTreeSet<At>,
    /// Which floating IPs lead through which link.
    pub floating: BTreeSet<At>,
    /// Which floating IPs are answered for on which interface.
    pub answered: BTreeSet<At>,
    /// The interface on whose wire they are known.
    pub public: Option<String>,
    /// Which floating IPs are left alone, because this host needs them for something else.
    pub left_out: BTreeMap<Ipv4Addr, String>,
    /// Who may send into its VXLANs.
    pub tunnels: Tunnels,
}

/// How the floating IPs of a host fare.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reached {
    /// What keeps some from being reached, in words.
    pub troubles: Vec<String>,
    /// Those for which this host does nothing at all.
    pub left_out: BTreeSet<Ipv4Addr>,
}

impl Part {
    /// What these networks want.
    #[must_use]
    pub fn of(networks: &[Network], public: Option<&str>) -> Self {
        let mut part = Self::default();
        for network in networks {
            let link = transit_link(network.spec.id);
            let at = |address: &Ipv4Addr| (link.clone(), *address);
            part.name_servers.extend(network.spec.dns.iter().map(at));
            let floating = network.ports.values().flat_map(|port| &port.floating);
            part.floating.extend(floating.map(at));
            part.links.insert(link, network.transit);
        }
        part.public = public.map(str::to_owned);
        if let Some(public) = public {
            let all = part.floating.iter();
            part.answered = all.map(|(_, ip)| (public.to_owned(), *ip)).collect();
        }
        part
    }

    /// Keeps what `former`, a listing of the cloud's table, holds of networks that are on the host and that
    /// no record tells of (any more): until it is known that nobody wants them, their guests go on. Floating
    /// IPs that are known to be `lost` do not.
    pub fn keep(
        &mut self,
        host: &Links,
        mark: &str,
        former: Option<&str>,
        lost: &BTreeSet<Ipv4Addr>,
    ) {
        let former = former.unwrap_or_default();
        let answered: BTreeSet<At> = elements(former, "answered").collect();
        let mut kept = BTreeSet::new();
        for (link, transit) in ours(host, mark) {
            if self.links.contains_key(link) {
                continue;
            }
            self.links.insert(link.clone(), transit);
            let its = |set| elements(former, set).filter(|(of, _)| of == link);
            self.name_servers.extend(its("name_servers"));
            self.tunnels.keep(link, former);
            kept.extend(its("floating"));
        }
        let here = |ip: &Ipv4Addr| self.floating.iter().any(|(_, taken)| taken == ip);
        kept.retain(|(_, ip)| !lost.contains(ip) && !here(ip));
        let answered = answered
            .into_iter()
            .filter(|(_, ip)| kept.iter().any(|(_, kept)| kept == ip));
        self.answered.extend(answered);
        self.floating.extend(kept);
    }

    /// Leaves out the floating IPs that are something else to this host already: whoever made it so would
    /// lose it, and another cloud would take it back for ever.
    pub fn leave_out(&mut self, host: &Links, mark: &str) {
        let otherwise = otherwise(host, mark);
        let wanted = self.floating.iter().map(|(_, ip)| *ip);
        self.left_out = wanted
            .filter_map(|ip| Some((ip, otherwise.get(&ip)?.clone())))
            .collect();
        let left_out = &self.left_out;
        for all in [&mut self.floating, &mut self.answered] {
            all.retain(|(_, ip)| !left_out.contains_key(ip));
        }
    }

    /// The lines of `ip` that take away what is there and not wanted: routes through the cloud's links, and
    /// answers that `former` calls the cloud's own.
    #[must_use]
    pub fn removals(
        &self,
        host: &Links,
        mark: &str,
        answers: &BTreeSet<At>,
        former: Option<&str>,
    ) -> Vec<String> {
        let routes = led(host, mark)
            .filter(|at| !self.floating.contains(at))
            .map(|(link, ip)| format!("route delete {ip}/32 dev {link}"));
        let former: BTreeSet<At> = elements(former.unwrap_or_default(), "answered").collect();
        let answers = former
            .difference(&self.answered)
            .filter(|at| answers.contains(at))
            .map(|(dev, ip)| format!("neigh delete proxy {ip} dev {dev}"));
        answers.chain(routes).collect()
    }

    /// The lines of `ip` that make the routes that are wanted and not there. What needs a link that is not
    /// there is left out, unless it `may_come`.
    #[must_use]
    pub fn routes(&self, host: &Links, mark: &str, may_come: bool) -> Vec<String> {
        let led: BTreeSet<At> = led(host, mark).collect();
        let line = |(link, ip): &At| {
            let transit = self
                .links
                .get(link)
                .filter(|_| may_come || up(host, link))?;
            let via = transit.network();
            Some(format!("route replace {ip}/32 via {via} dev {link}"))
        };
        self.floating.difference(&led).filter_map(line).collect()
    }

    /// The same for answers on the wires.
    #[must_use]
    pub fn answers(&self, host: &Links, answers: &BTreeSet<At>, may_come: bool) -> Vec<String> {
        self.answered
            .difference(answers)
            .filter(|(dev, _)| may_come || up(host, dev))
            .map(|(dev, ip)| format!("neigh replace proxy {ip} dev {dev}"))
            .collect()
    }

    /// What keeps floating IPs from being reached, in words.
    #[must_use]
    pub fn troubles(&self, host: &Links) -> Vec<String> {
        let interfaces: BTreeSet<&String> = self.answered.iter().map(|(dev, _)| dev).collect();
        let missing = interfaces
            .into_iter()
            .filter(|name| !up(host, name))
            .map(|name| {
                format!(
                    "the public interface {name} is not there or down; floating IPs are reached from this \
                     host alone"
                )
            });
        let taken = self.left_out.iter().map(|(ip, why)| {
            format!("the floating IP {ip} is {why}, so this host leads it to nobody")
        });
        missing.chain(taken).collect()
    }
}

fn up(host: &Links, name: &str) -> bool {
    host.links.get(name).is_some_and(Link::up)
}

/// What single addresses are to this host, beside floating IPs of this cloud.
fn otherwise(host: &Links, mark: &str) -> BTreeMap<Ipv4Addr, String> {
    let mut all = BTreeMap::new();
    for route in &host.routes {
        let dev = route.dev.as_deref().unwrap_or("no interface");
        let alias = host.links.get(dev).and_then(|link| link.ifalias.as_deref());
        if alias == Some(mark) {
            continue;
        }
        if let Ok(address) = route.dst.parse() {
            let why = format!("led through {dev} by another's route of this host");
            all.insert(address, why);
        }
        if let Some(Ok(gateway)) = route.gateway.as_deref().map(str::parse) {
            all.insert(gateway, format!("this host's gateway behind {dev}"));
        }
    }
    let own = host.links.values().flat_map(Link::addresses);
    all.extend(own.map(|net| (net.addr(), "an address of this host itself".to_owned())));
    all
}

/// The cloud's transit links on the host.
fn ours<'a>(host: &'a Links, mark: &str) -> impl Iterator<Item = (&'a String, Transit)> {
    host.links.iter().filter_map(move |(name, link)| {
        let marked = link.ifalias.as_deref() == Some(mark) && name.starts_with(TRANSIT_PREFIX);
        let transit = link.addresses().find_map(|net| Transit::of(net.addr()))?;
        marked.then_some((name, transit))
    })
}

/// Which single addresses are led through which of the cloud's links.
pub fn led(host: &Links, mark: &str) -> impl Iterator<Item = At> {
    let ours: BTreeMap<&String, Transit> = ours(host, mark).collect();
    let at = move |route: &Route| {
        let link = route.dev.as_ref()?;
        let transit = ours.get(link)?;
        // One that somebody led elsewhere does not count, and is replaced.
        let via = route.gateway.as_ref()?.parse::<Ipv4Addr>().ok()?;
        let address = route.dst.parse::<Ipv4Addr>().ok()?;
        (via == transit.network()).then(|| (link.clone(), address))
    };
    host.routes.iter().filter_map(at)
}

/// The elements of a set of interfaces and addresses in a table's listing.
fn elements(listing: &str, set: &str) -> impl Iterator<Item = At> {
    let body = listing
        .split_once(&format!("set {set} {{"))
        .and_then(|(_, rest)| rest.split_once("elements = {"))
        // Without elements the next set's would be taken for its own.
        .filter(|(before, _)| !before.contains("set "))
        .and_then(|(_, rest)| rest.split_once('}'))
        .map_or("", |(body, _)| body);
    body.split(',').filter_map(|element| {
        let (name, address) = element.trim().split_once(" . ")?;
        Some((name.trim_matches('"').to_owned(), address.parse().ok()?))
    })
}

#[cfg(test)]
mod tests;
