//! Networks on a real Linux host: each call compares what is there with what should be and changes the
//! difference. All of it can be repeated at any time; nothing is remembered from one call to the next
//! but the filters that were loaded, and how nft lists them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use skybus_fault::{self as fault, Point};
use skybus_model::id::NetworkId;
use skybus_sys::namespace;

use crate::{
    carries::{Carrier, Wiring},
    changes::Changes,
    desired::{Network, transit_link},
    dnsmasq::Dnsmasq,
    failure::Error,
    filter, links,
    observed::{self, Links},
    program::{self, Place},
    ruleset,
    transit::Transit,
    wire::WIRE,
};

mod host;
mod loaded;
mod plug;

use loaded::{Loaded, Rules};

/// The tables of a network's namespace.
const TABLES: [ruleset::Table<'static>; 2] = [("inet", filter::TABLE), ("bridge", filter::TABLE)];

/// This host, as far as one cloud is concerned.
#[derive(Debug)]
pub struct Linux {
    cloud: String,
    run: PathBuf,
    /// Where floating IPs are reached from outside, if they are.
    public: Option<String>,
    carrier: Carrier,
    loaded: Loaded,
}

impl Linux {
    /// The part of this host that belongs to `cloud`, a short word that no other cloud here has.
    #[must_use]
    pub fn new(cloud: &str) -> Self {
        let run = PathBuf::from(format!("/run/skybus-{cloud}"));
        Self {
            cloud: cloud.to_owned(),
            run,
            public: None,
            carrier: Carrier::default(),
            loaded: Loaded::default(),
        }
    }

    /// With the interface on whose wire floating IPs are answered for.
    #[must_use]
    pub fn with_public(mut self, interface: Option<&str>) -> Self {
        self.public = interface.map(str::to_owned);
        self
    }

    /// With cables that lead to other hosts.
    #[must_use]
    pub fn with_wiring(mut self, wiring: Wiring) -> Self {
        self.carrier = Carrier::new(wiring);
        self
    }

    /// Its cables, and what they can carry.
    #[must_use]
    pub const fn carrier(&self) -> &Carrier {
        &self.carrier
    }

    /// The cloud's word.
    #[must_use]
    pub fn cloud(&self) -> &str {
        &self.cloud
    }

    /// Where its files are.
    #[must_use]
    pub const fn run_directory(&self) -> &PathBuf {
        &self.run
    }

    /// The dnsmasq of a network's namespace.
    #[must_use]
    pub fn dnsmasq(&self, namespace: &str) -> Dnsmasq {
        Dnsmasq::of(namespace, &self.run)
    }

    /// Makes a network be as described, but for what joins it with other hosts: that comes [last](Self::plug),
    /// when all that guards it is there. Says whether its namespace had to be made.
    ///
    /// # Errors
    /// When the host refuses; what was made until then stays, and the next call goes on from there.
    pub fn converge(
        &self,
        network: &Network,
        doomed: &BTreeSet<String>,
        changes: &mut Changes,
    ) -> Result<bool, Error> {
        let namespace = network.namespace();
        let place = Place::Namespace(&namespace);
        let fresh = !namespace::exists(&namespace);
        if fresh {
            self.carrier.allow(&network.spec.segment)?;
            changes.make(format!("{namespace}: a new namespace"), || {
                namespace::make(&namespace)
            })?;
            fault::hit(Point::NetworkNamespaceMade, "");
            // Marked before anything else, so that a cloud that lost its records finds it again.
            let mark = format!("link set lo alias {}\n", links::mark(&self.cloud));
            changes.make(format!("{namespace}: {}", mark.trim()), || {
                program::ip(place, &mark)
            })?;
        }
        let absent = fresh && changes.is_rehearsal();
        if !absent {
            settings(place, &namespace, changes)?;
        }
        let rules = Rules::Network(Box::new(network.clone()));
        let listed = || ruleset::listing(place, &TABLES);
        self.loaded
            .bring(place, fresh, rules, &TABLES, listed, changes)?;
        fault::hit(Point::NetworkFiltered, "");
        self.lines(network, absent, doomed, changes)?;
        fault::hit(Point::NetworkLinked, "");
        self.dnsmasq(&namespace).converge(network, changes)?;
        Ok(fresh)
    }

    fn lines(
        &self,
        network: &Network,
        absent: bool,
        doomed: &BTreeSet<String>,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        let namespace = network.namespace();
        let place = Place::Namespace(&namespace);
        let mut inside = if absent {
            Links::default()
        } else {
            Links::read(place)?
        };
        let host = Links::without_routes(Place::Host)?;
        let lines = links::host_lines(network, &self.cloud, &host, &inside);
        if !lines.is_empty() {
            batch(Place::Host, &lines, changes)?;
            if !absent {
                inside = Links::read(place)?;
            }
        }
        batch(
            place,
            &links::inside_lines(network, &self.cloud, &inside, doomed),
            changes,
        )
    }

    /// Takes a network away that nothing asks for any more, unless taps other than those in `doomed` are in
    /// it: records can be lost, and guests that nobody remembers must not be cut off for that. Then only the
    /// doomed ones go, and what is left is an orphan's affair. Says whether the network is gone.
    ///
    /// # Errors
    /// When something cannot be taken away; the next call goes on from there.
    pub fn withdraw(
        &self,
        namespace: &str,
        doomed: &BTreeSet<String>,
        changes: &mut Changes,
    ) -> Result<bool, Error> {
        let place = Place::Namespace(namespace);
        let taps: Vec<String> = if namespace::exists(namespace) {
            let links = Links::without_routes(place)?.links;
            links.into_keys().filter(|name| is_tap(name)).collect()
        } else {
            Vec::new()
        };
        if taps.iter().all(|tap| doomed.contains(tap)) {
            return self.remove(namespace, changes).map(|()| true);
        }
        let lines: Vec<String> = taps
            .iter()
            .filter(|tap| doomed.contains(*tap))
            .map(|tap| format!("link delete {tap}"))
            .collect();
        batch(place, &lines, changes).map(|()| false)
    }

    /// Takes a network away, whatever is left of it.
    ///
    /// # Errors
    /// When something cannot be taken away; the next call goes on from there.
    pub fn remove(&self, namespace: &str, changes: &mut Changes) -> Result<(), Error> {
        let dnsmasq = self.dnsmasq(namespace);
        if dnsmasq.running().is_some() || self.run.join(namespace).exists() {
            changes.make(format!("{namespace}: no DHCP"), || dnsmasq.remove())?;
        }
        let link = namespace.replacen("skybus-", crate::desired::TRANSIT_PREFIX, 1);
        if Links::read(Place::Host)?.links.contains_key(&link) {
            batch(Place::Host, &[format!("link delete {link}")], changes)?;
        }
        if !namespace::exists(namespace) {
            return Ok(());
        }
        let place = Place::Namespace(namespace);
        // One by one, because a guest that still runs keeps the namespace, though not its name.
        let ends: Vec<String> = Links::read(place)?
            .links
            .into_keys()
            .filter(|name| is_tap(name) || name == WIRE)
            .map(|name| format!("link delete {name}"))
            .collect();
        batch(place, &ends, changes)?;
        self.loaded.forget(namespace);
        changes.make(format!("{namespace}: remove the namespace"), || {
            Ok(namespace::delete(namespace)?)
        })
    }

    /// A pair of transit addresses for a network: the one it has on this host already, or a free one.
    /// `held` are those of other networks that may not have been made yet.
    ///
    /// # Errors
    /// When none is free.
    pub fn transit(&self, network: NetworkId, held: &[Transit]) -> Result<Transit, Error> {
        let host = Links::read(Place::Host)?;
        let link = host.links.get(&transit_link(network));
        if let Some(transit) =
            link.and_then(|link| link.addresses().find_map(|a| Transit::of(a.addr())))
        {
            return Ok(transit);
        }
        let mut taken = host.used();
        taken.extend(held.iter().map(|transit| transit.prefix()));
        Ok(Transit::choose(network, &taken)?)
    }

    /// The namespaces that this cloud made, by their mark, with the taps in them.
    ///
    /// # Errors
    /// When the host cannot be read.
    pub fn made(&self) -> Result<BTreeMap<String, BTreeSet<String>>, Error> {
        let mark = links::mark(&self.cloud);
        let mut found = BTreeMap::new();
        for name in namespace::list()?
            .into_iter()
            .filter(|name| name.starts_with("skybus-"))
        {
            let links = match Links::read(Place::Namespace(&name)) {
                Ok(read) => read.links,
                // Another cloud took its own away while we looked.
                Err(_) if !namespace::exists(&name) => continue,
                Err(error) => return Err(error.into()),
            };
            if links.get("lo").and_then(|lo| lo.ifalias.as_deref()) == Some(&mark) {
                let taps = links.into_keys().filter(|link| is_tap(link)).collect();
                found.insert(name, taps);
            }
        }
        Ok(found)
    }
}

fn is_tap(link: &str) -> bool {
    link.starts_with("tap")
}

fn batch(place: Place<'_>, lines: &[String], changes: &mut Changes) -> Result<(), Error> {
    let Some((last, others)) = lines.split_last() else {
        return Ok(());
    };
    let name = place.name();
    for line in others {
        changes.make(format!("{name}: ip {line}"), || Ok::<(), Error>(()))?;
    }
    let script = lines.join("\n") + "\n";
    changes.make(format!("{name}: ip {last}"), || {
        Ok(program::ip(place, &script)?)
    })
}

fn settings(place: Place<'_>, name: &str, changes: &mut Changes) -> Result<(), Error> {
    for (key, value) in links::SETTINGS {
        let found = match observed::setting(place, key)? {
            None if key == links::BRIDGE_FILTER => Some(bridge_filter(place, key, changes)?),
            other => other,
        };
        // A kernel without IPv6 has nothing to switch off.
        if found.is_some_and(|found| found != value) {
            changes.make(format!("{name}: {key} = {value}"), || {
                observed::set(place, key, value)
            })?;
        }
    }
    Ok(())
}

/// Loads `br_netfilter` where it is a module that nobody needed yet.
fn bridge_filter(place: Place<'_>, key: &str, changes: &mut Changes) -> Result<String, Error> {
    changes.make("host: modprobe br_netfilter", || {
        program::run("modprobe", "kmod", &["br_netfilter"], Place::Host, "")
            .map(|_| ())
            .map_err(|_| Error::NoBridgeFilter)
    })?;
    observed::setting(place, key)?.ok_or(Error::NoBridgeFilter)
}
