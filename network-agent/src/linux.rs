//! Networks on a real Linux host: each call compares what is there with what should be and changes the
//! difference. All of it can be repeated at any time; nothing is remembered from one call to the next
//! but the filters that were loaded, and how nft lists them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    path::PathBuf,
    sync::Mutex,
};

use skybus_fault::{self as fault, Point};
use skybus_model::id::NetworkId;
use skybus_sys::namespace;

use crate::{
    changes::Changes,
    desired::{Network, transit_link},
    dnsmasq::Dnsmasq,
    failure::Error,
    filter, links,
    observed::{self, Links},
    program::{self, Place},
    ruleset,
    transit::Transit,
    uplink,
};

/// The tables of a network's namespace.
const TABLES: [ruleset::Table<'static>; 2] = [("inet", filter::TABLE), ("bridge", filter::TABLE)];

/// This host, as far as one cloud is concerned.
#[derive(Debug)]
pub struct Linux {
    cloud: String,
    run: PathBuf,
    /// The last filter of each place that was asked for.
    filters: Mutex<HashMap<String, Filter>>,
}

/// A filter that was asked for.
#[derive(Debug, Clone)]
struct Filter {
    rules: String,
    /// How nft lists it, once somebody needed to know.
    listing: Option<String>,
}

impl Linux {
    /// The part of this host that belongs to `cloud`, a short word that no other cloud here has.
    #[must_use]
    pub fn new(cloud: &str) -> Self {
        let run = PathBuf::from(format!("/run/skybus-{cloud}"));
        Self {
            cloud: cloud.to_owned(),
            run,
            filters: Mutex::default(),
        }
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

    /// Makes a network be as described. Says whether its namespace had to be made.
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
        let rules = filter::render(network);
        let loaded = || ruleset::listing(place, &TABLES);
        self.rules(place, fresh, &rules, &TABLES, loaded, changes)?;
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

    /// Makes the host's own part be as the networks want it; without networks it is taken away.
    ///
    /// # Errors
    /// When the host refuses.
    pub fn converge_host(&self, networks: &[Network], changes: &mut Changes) -> Result<(), Error> {
        // What one cloud notes about the host, another must not change in between.
        let _turn = namespace::turn()?;
        if networks.is_empty() {
            return self.leave_host(changes);
        }
        let clouds = uplink::all_clouds()?;
        let now = forwarding()?;
        let was = uplink::original(&clouds, &now).to_owned();
        let rules = uplink::render(&self.cloud, &was, networks.iter());
        let table = uplink::table(&self.cloud);
        let ours = clouds.into_iter().find(|(cloud, _)| *cloud == self.cloud);
        let loaded = || Ok(ours.map(|(_, listing)| listing));
        let tables = [("ip", table.as_str())];
        self.rules(Place::Host, false, &rules, &tables, loaded, changes)?;
        if now == "1" {
            return Ok(());
        }
        changes.make(format!("host: {} = 1", uplink::FORWARDING), || {
            Ok(observed::set(Place::Host, uplink::FORWARDING, "1")?)
        })
    }

    /// Takes the host's part away and gives forwarding back as it was, if no other cloud needs it.
    fn leave_host(&self, changes: &mut Changes) -> Result<(), Error> {
        let clouds = uplink::all_clouds()?;
        let Some((_, ours)) = clouds.iter().find(|(cloud, _)| *cloud == self.cloud) else {
            return Ok(());
        };
        // Forwarding first: the note about it is in the table.
        if clouds.len() == 1 && uplink::was(ours) == Some("0") && forwarding()? != "0" {
            changes.make(format!("host: {} = 0", uplink::FORWARDING), || {
                observed::set(Place::Host, uplink::FORWARDING, "0")
            })?;
        }
        let table = uplink::table(&self.cloud);
        changes.make(format!("host: remove the nft table ip {table}"), || {
            program::nft(Place::Host, &format!("delete table ip {table}\n"))
        })?;
        if !changes.is_rehearsal() {
            // Refused while something is in it, which the next call or a teardown then finds.
            let _ = std::fs::remove_dir(&self.run);
        }
        Ok(())
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
        let taps: Vec<String> = Links::read(place)?
            .links
            .into_keys()
            .filter(|name| name.starts_with("tap"))
            .map(|name| format!("link delete {name}"))
            .collect();
        batch(place, &taps, changes)?;
        if let Ok(mut filters) = self.filters.lock() {
            filters.remove(namespace);
        }
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
                let taps = links
                    .into_keys()
                    .filter(|link| link.starts_with("tap"))
                    .collect();
                found.insert(name, taps);
            }
        }
        Ok(found)
    }

    /// Loads rules if those in the kernel differ. Rules other than those that were asked for last are loaded
    /// without a look: comparing costs more than loading, and what was loaded is compared with every later
    /// look.
    fn rules(
        &self,
        place: Place<'_>,
        fresh: bool,
        rules: &str,
        tables: &[ruleset::Table<'_>],
        loaded: impl FnOnce() -> Result<Option<String>, program::Error>,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        let name = match place {
            Place::Host => "host",
            Place::Namespace(name) => name,
        };
        let asked = self
            .filters
            .lock()
            .ok()
            .and_then(|all| all.get(name).cloned());
        let new = fresh || asked.as_ref().is_some_and(|asked| asked.rules != rules);
        if !new && self.is_loaded(name, rules, tables, asked, loaded)? {
            return Ok(());
        }
        let what = format!("{name}: packet filter, {} lines", rules.lines().count());
        changes.make(what, || program::nft(place, rules))?;
        if new && !changes.is_rehearsal() {
            self.remember(name, rules, None);
        }
        Ok(())
    }

    /// Whether nft lists what it would list, had it loaded these rules.
    fn is_loaded(
        &self,
        name: &str,
        rules: &str,
        tables: &[ruleset::Table<'_>],
        asked: Option<Filter>,
        loaded: impl FnOnce() -> Result<Option<String>, program::Error>,
    ) -> Result<bool, Error> {
        let wanted = match asked.and_then(|asked| asked.listing) {
            Some(listing) => listing,
            None => ruleset::listing_of(rules, tables)?,
        };
        self.remember(name, rules, Some(wanted.clone()));
        Ok(loaded()?.is_some_and(|listing| listing == wanted))
    }

    fn remember(&self, name: &str, rules: &str, listing: Option<String>) {
        if let Ok(mut all) = self.filters.lock() {
            let rules = rules.to_owned();
            all.insert(name.to_owned(), Filter { rules, listing });
        }
    }
}

fn batch(place: Place<'_>, lines: &[String], changes: &mut Changes) -> Result<(), Error> {
    let Some((last, others)) = lines.split_last() else {
        return Ok(());
    };
    let name = match place {
        Place::Host => "host",
        Place::Namespace(name) => name,
    };
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

fn forwarding() -> io::Result<String> {
    Ok(observed::setting(Place::Host, uplink::FORWARDING)?.unwrap_or_default())
}
