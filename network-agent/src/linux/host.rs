//! The host's own part: its table of nft, forwarding, and the ways to floating IPs.

use std::{collections::BTreeSet, io, net::Ipv4Addr};

use skybus_sys::namespace;

use super::{Linux, Rules, batch};
use crate::{
    changes::Changes,
    desired::Network,
    failure::Error,
    links,
    observed::{self, Links},
    outside::{self, Answered, At, Part, Reached},
    program::{self, Place},
    tunnels::Tunnels,
    uplink,
};

impl Linux {
    /// Makes the host's own part be as the networks want it; without networks it is taken away. Floating IPs
    /// that are `lost` go also where networks are kept that no record tells of. That some cannot be reached is
    /// no reason to fail.
    ///
    /// # Errors
    /// When the host refuses.
    pub fn converge_host(
        &self,
        networks: &[Network],
        lost: &BTreeSet<Ipv4Addr>,
        changes: &mut Changes,
    ) -> Result<Reached, Error> {
        self.bring_host(networks, Some(lost), changes)
    }

    /// Takes the host's own part away, whatever networks are left. The host answers for no floating IP in
    /// `recorded` any more, also when its table, which knew of it, was lost.
    ///
    /// # Errors
    /// When the host refuses.
    pub fn clear_host(
        &self,
        recorded: &BTreeSet<Ipv4Addr>,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        self.bring_host(&[], None, changes)?;
        let Some(public) = &self.public else {
            return Ok(());
        };
        let answers = answers()?;
        let left = recorded
            .iter()
            .filter(|ip| answers.contains(&(public.clone(), **ip)));
        let mut lines: Vec<String> = left
            .map(|ip| format!("neigh delete proxy {ip} dev {public}"))
            .collect();
        // A rehearsal has left those that it listed.
        lines.retain(|line| !changes.list().contains(&format!("host: ip {line}")));
        batch(Place::Host, &lines, changes)
    }

    fn bring_host(
        &self,
        networks: &[Network],
        lost: Option<&BTreeSet<Ipv4Addr>>,
        changes: &mut Changes,
    ) -> Result<Reached, Error> {
        // What one cloud notes about the host, another must not change in between.
        let _turn = namespace::turn()?;
        let (host, mut clouds) = (Links::read(Place::Host)?, uplink::all_clouds()?);
        let there = clouds.iter().any(|(cloud, _)| *cloud == self.cloud);
        // Whoever took the table away took the notes in it, too; but they are remembered.
        if !there && let Some(noted) = self.loaded.host() {
            clouds.push((self.cloud.clone(), noted));
        }
        let ours = clouds.iter().find(|(cloud, _)| *cloud == self.cloud);
        let former = ours.map(|(_, listing)| listing.as_str());
        let mark = links::mark(&self.cloud);
        let mut part = Part::of(networks, self.public.as_deref());
        part.tunnels = Tunnels::of(networks, self.carrier.tunnel());
        if let Some(lost) = lost {
            part.keep(&host, &mark, former, lost);
        }
        part.leave_out(&host, &mark);
        let answers = answers()?;
        batch(
            Place::Host,
            &part.removals(&host, &mark, &answers, former),
            changes,
        )?;
        if part.links.is_empty() {
            self.leave_host(&clouds, there, changes)?;
            return Ok(Reached::default());
        }
        let now = forwarding()?;
        let was = uplink::original(&clouds, &now).to_owned();
        let rules = Rules::Host(uplink::render(&self.cloud, &was, &part));
        let table = uplink::table(&self.cloud);
        let tables = [("ip", table.as_str())];
        let listed = || crate::ruleset::listing(Place::Host, &tables);
        self.loaded
            .bring(Place::Host, !there, rules, &tables, listed, changes)?;
        if now != "1" {
            changes.make(format!("host: {} = 1", uplink::FORWARDING), || {
                observed::set(Place::Host, uplink::FORWARDING, "1")
            })?;
        }
        let may_come = changes.is_rehearsal();
        batch(Place::Host, &part.routes(&host, &mark, may_come), changes)?;
        let mut troubles = part.troubles(&host);
        let missing = part.answers(&host, &answers, may_come);
        if let Err(error) = batch(Place::Host, &missing, changes) {
            troubles.push(format!("floating IPs cannot be answered for: {error}"));
        }
        let left_out = part.left_out.into_keys().collect();
        Ok(Reached { troubles, left_out })
    }

    /// Takes the host's part away and gives forwarding back as it was, if no other cloud needs it.
    /// Whether its table is `there` or only remembered makes no other difference.
    fn leave_host(
        &self,
        clouds: &[(String, String)],
        there: bool,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        let Some((_, ours)) = clouds.iter().find(|(cloud, _)| *cloud == self.cloud) else {
            return Ok(());
        };
        // Forwarding first: the note about it is in the table.
        if clouds.len() == 1 && uplink::was(ours) == Some("0") && forwarding()? != "0" {
            changes.make(format!("host: {} = 0", uplink::FORWARDING), || {
                observed::set(Place::Host, uplink::FORWARDING, "0")
            })?;
        }
        if there {
            let table = uplink::table(&self.cloud);
            changes.make(format!("host: remove the nft table ip {table}"), || {
                program::nft(Place::Host, &format!("delete table ip {table}\n"))
            })?;
        }
        if !changes.is_rehearsal() {
            self.loaded.forget(Place::Host.name());
            // Refused while something is in it, which the next call or a teardown then finds.
            let _ = std::fs::remove_dir(&self.run);
        }
        Ok(())
    }

    /// The floating IPs that lead into networks of this cloud now, whoever made it so.
    ///
    /// # Errors
    /// When the host cannot be read.
    pub fn served(&self) -> Result<BTreeSet<Ipv4Addr>, Error> {
        let (host, mark) = (Links::read(Place::Host)?, links::mark(&self.cloud));
        Ok(outside::led(&host, &mark).map(|(_, ip)| ip).collect())
    }

    /// Ends the connections through a floating IP that leads into `namespace` no more: a packet that belongs
    /// to one finds nobody who remembers it.
    ///
    /// # Errors
    /// The first thing that the kernel refused to forget; all others were tried.
    pub fn end_connections(
        &self,
        namespace: &str,
        floating: Ipv4Addr,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        let inside = Place::Namespace(namespace);
        let mut all = Vec::new();
        if namespace::exists(namespace) {
            // Coming in it was the first packet's destination, going out its answer's. These come first, for it
            // is they that decide.
            all.extend([(inside, "--orig-dst"), (inside, "--reply-dst")]);
        }
        all.extend([(Place::Host, "--orig-dst"), (Place::Host, "--orig-src")]);
        let ip = floating.to_string();
        let mut first = Ok(());
        for (place, by) in all {
            let what = format!("{}: end connections, {by} {ip}", place.name());
            let done = changes.make(what, || forget(place, &["--delete", by, &ip]));
            first = first.and(done);
        }
        Ok(first?)
    }
}

/// How often the kernel is asked to forget connections before it is given up.
const INSIST: u32 = 10;

/// One that ends by itself while `conntrack` is at it makes it stop, with others left.
fn forget(place: Place<'_>, arguments: &[&str]) -> Result<(), program::Error> {
    let mut outcome = Ok(());
    for _ in 0..INSIST {
        outcome = match program::run("conntrack", "conntrack", arguments, place, "") {
            // There was none.
            Err(program::Error::Refused { said, .. }) if said.contains(" 0 flow entries") => Ok(()),
            other => other.map(drop),
        };
        if !matches!(outcome, Err(program::Error::Refused { .. })) {
            break;
        }
    }
    outcome
}

/// For whom this host answers on its wires.
fn answers() -> Result<BTreeSet<At>, program::Error> {
    let all: Vec<Answered> = program::ip_show(Place::Host, &["-4", "neigh", "show", "proxy"])?;
    let at = |one: Answered| Some((one.dev, one.dst.parse().ok()?));
    Ok(all.into_iter().filter_map(at).collect())
}

fn forwarding() -> io::Result<String> {
    Ok(observed::setting(Place::Host, uplink::FORWARDING)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    /// Loses the cloud's table, as `nft flush ruleset` would.
    fn lose_table(linux: &Linux) {
        let table = uplink::table(linux.cloud());
        program::nft(Place::Host, &format!("delete table ip {table}\n")).unwrap();
    }

    #[test]
    fn what_was_noted_of_the_host_outlives_its_table() {
        if !testing::root("changing a setting in a scratch namespace") {
            return;
        }
        let mut port = testing::port(7);
        port.floating = vec![[203, 0, 113, 7].into()];
        let networks = [testing::network(&[port])];
        namespace::scratch(|| {
            observed::set(Place::Host, uplink::FORWARDING, "0").unwrap();
            program::ip(Place::Host, "link set lo up\n").unwrap();
            let linux = Linux::new("notes").with_public(Some("lo"));
            let (none, mut changes) = (BTreeSet::new(), Changes::real());
            let mut bring = || {
                linux.converge_host(&networks, &none, &mut changes).unwrap();
                assert_eq!(forwarding().unwrap(), "1");
                assert_eq!(answers().unwrap().len(), 1);
                uplink::all_clouds().unwrap().remove(0).1
            };
            assert_eq!(uplink::was(&bring()), Some("0"));
            lose_table(&linux);
            assert_eq!(uplink::was(&bring()), Some("0"));
            lose_table(&linux);
            linux
                .clear_host(&BTreeSet::new(), &mut Changes::real())
                .unwrap();
            assert_eq!(forwarding().unwrap(), "0");
            assert!(answers().unwrap().is_empty());
            // Another worker remembers nothing of it but what its journal says.
            linux
                .converge_host(&networks, &none, &mut Changes::real())
                .unwrap();
            lose_table(&linux);
            let linux = Linux::new("notes").with_public(Some("lo"));
            let recorded = BTreeSet::from([[203, 0, 113, 7].into()]);
            linux.clear_host(&recorded, &mut Changes::real()).unwrap();
            assert!(answers().unwrap().is_empty());
            io::Result::Ok(())
        })
        .unwrap();
    }
}
