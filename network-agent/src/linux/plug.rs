//! Joining a network's bridge with those of other hosts, by the link `wire` in its namespace.

use skybus_model::segment::Segment;
use skybus_sys::namespace;

use super::{Linux, batch};
use crate::{
    changes::Changes,
    desired::Network,
    failure::Error,
    observed::Links,
    program::{self, Place},
    wire::{self, Entry, WIRE, Wire},
};

impl Linux {
    /// Plugs a network that is on this host into its segment. What is there and right is not touched.
    ///
    /// # Errors
    /// When this host cannot carry the segment, or refuses.
    pub fn plug(&self, network: &Network, changes: &mut Changes) -> Result<(), Error> {
        if network.spec.segment == Segment::Local {
            return Ok(());
        }
        let namespace = network.namespace();
        let place = Place::Namespace(&namespace);
        let mut inside = match namespace::exists(&namespace) {
            true => Links::without_routes(place)?,
            // In a rehearsal nothing has been made.
            false => Links::default(),
        };
        let found = inside.links.remove(WIRE);
        let host = match network.spec.segment.physical() {
            Some(_) => Links::without_routes(Place::Host)?,
            None => Links::default(),
        };
        let Some(wanted) = self.carrier.wire(&network.spec, &host)? else {
            return Ok(());
        };
        let keeps = found.as_ref().filter(|link| wanted.is(link));
        if keeps.is_none() {
            self.carrier.allow(&network.spec.segment)?;
            if found.is_some() {
                batch(place, &[format!("link delete {WIRE}")], changes)?;
            }
            batch(Place::Host, &[wanted.line(&namespace)], changes)
                .map_err(|error| refused(&network.spec.segment, &error))?;
        }
        let lines = wire::inside_lines(network.spec.mtu, &self.cloud, keeps);
        batch(place, &lines, changes)?;
        peers(place, &wanted, keeps.is_some(), changes)
    }
}

fn refused(segment: &Segment, error: &Error) -> Error {
    Error::Segment(format!("it cannot carry {segment}: {error}"))
}

/// Tells a VXLAN who its peers are.
fn peers(place: Place<'_>, wanted: &Wire, there: bool, changes: &mut Changes) -> Result<(), Error> {
    if !matches!(wanted, Wire::Vxlan(..)) {
        return Ok(());
    }
    let entries: Vec<Entry> = match there {
        true => program::fdb(place, WIRE)?,
        false => Vec::new(),
    };
    let lines = wanted.peers(&entries);
    if !lines.peers.is_empty() {
        let what = format!("{}: bridge {}", place.name(), lines.peers.join("; "));
        let script = lines.peers.join("\n") + "\n";
        changes.make(what, || {
            program::run("bridge", "iproute2", &["-batch", "-"], place, &script).map(drop)
        })?;
    }
    if !lines.learnt.is_empty() {
        let what = format!("{}: bridge {}", place.name(), lines.learnt.join("; "));
        let script = lines.learnt.join("\n") + "\n";
        changes.make(what, || {
            // What was forgotten meanwhile is refused, which is as good.
            let force = ["-force", "-batch", "-"];
            let _ = program::run("bridge", "iproute2", &force, place, &script);
            Ok::<(), Error>(())
        })?;
    }
    Ok(())
}
