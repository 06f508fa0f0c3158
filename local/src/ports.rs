//! Ports on loopback: found at the first start, remembered, and replaced when somebody else took one.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::fd::OwnedFd,
    sync::{Mutex, PoisonError},
};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt},
};
use serde::{Deserialize, Serialize};

use crate::Error;

/// The ports that one cloud uses besides the one of its APIs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ports {
    /// The broker: AMQP.
    pub amqp: u16,
    /// The broker: its management API.
    pub management: u16,
    /// The broker: the name service of its Erlang node.
    pub epmd: u16,
    /// The broker: its Erlang node.
    pub node: u16,
    /// Health pages.
    pub api: u16,
    /// Health pages.
    pub scheduler: u16,
    /// Health pages.
    pub compute: u16,
    /// Health pages.
    pub network: u16,
}

impl Ports {
    /// Eight free ports.
    ///
    /// # Errors
    /// When the system has none left.
    pub fn find() -> Result<Self, Error> {
        let mut ports = Self {
            amqp: 0,
            management: 0,
            epmd: 0,
            node: 0,
            api: 0,
            scheduler: 0,
            compute: 0,
            network: 0,
        };
        ports.replace_taken()?;
        Ok(ports)
    }

    /// Replaces those on which somebody else listens by now.
    ///
    /// # Errors
    /// When the system has no free port left.
    pub fn replace_taken(&mut self) -> Result<(), Error> {
        self.replace_taken_but(None)
    }

    /// The same, but the one that was told to others stays as it is.
    ///
    /// # Errors
    /// When the system has no free port left.
    pub fn replace_taken_but(&mut self, told: Option<u16>) -> Result<(), Error> {
        let mut chosen = BTreeSet::new();
        for port in [
            &mut self.amqp,
            &mut self.management,
            &mut self.epmd,
            &mut self.node,
            &mut self.api,
            &mut self.scheduler,
            &mut self.compute,
            &mut self.network,
        ] {
            if told == Some(*port) {
                chosen.insert(*port);
                continue;
            }
            while *port == 0 || chosen.contains(port) || !is_free(loopback(*port)) {
                *port = any_free()?;
            }
            chosen.insert(*port);
        }
        Ok(())
    }
}

impl Ports {
    /// The port of a role's health page.
    #[must_use]
    pub fn health(&self, role: &str) -> u16 {
        match role {
            "api" => self.api,
            "scheduler" => self.scheduler,
            "compute" => self.compute,
            _ => self.network,
        }
    }
}

/// The address of a port on loopback.
#[must_use]
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Whether one could listen there now.
#[must_use]
pub fn is_free(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_ok()
}

/// Ports are taken from below the range from which the system gives ports to outgoing connections
/// (32768 and up by default): there, any client of the host could have one at the wrong moment.
fn any_free() -> Result<u16, Error> {
    for _ in 0..1000 {
        let port = 20_000 + rand::random::<u16>() % 12_000;
        if let Ok(held) = hold(port) {
            HELD.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(held);
            return Ok(port);
        }
    }
    Err(Error::Options(
        "no free port was found on 127.0.0.1 between 20000 and 32000".to_owned(),
    ))
}

/// The ports that this process has chosen, until it ends: it starts those who listen there, which takes a while, and
/// another cloud that starts at the same moment must not choose the same.
static HELD: Mutex<Vec<OwnedFd>> = Mutex::new(Vec::new());

/// Binds a port that nobody else has bound, and does not listen. Whoever binds it with SO_REUSEADDR, as servers do, may
/// listen there all the same; who only looks for a port, as here, asks without.
fn hold(port: u16) -> Result<OwnedFd, Errno> {
    let socket = socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    bind(&socket, &loopback(port))?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_port_is_nobody_elses_and_can_be_listened_on() {
        let port = any_free().unwrap();
        assert_eq!(hold(port).unwrap_err(), Errno::ADDRINUSE);
        let listens = TcpListener::bind(loopback(port)).unwrap();
        assert!(std::net::TcpStream::connect(loopback(port)).is_ok());
        drop(listens);
        assert_eq!(hold(port).unwrap_err(), Errno::ADDRINUSE);
    }

    #[test]
    fn only_a_port_that_was_taken_is_replaced() {
        let mut ports = Ports::find().unwrap();
        let before = ports.clone();
        let _other = TcpListener::bind(loopback(ports.amqp)).unwrap();
        ports.replace_taken().unwrap();
        assert_ne!(ports.amqp, before.amqp);
        assert_eq!(
            Ports {
                amqp: before.amqp,
                ..ports
            },
            before
        );
    }

    #[test]
    fn a_port_that_others_were_told_stays() {
        let mut ports = Ports::find().unwrap();
        let before = ports.clone();
        let _other = TcpListener::bind(loopback(ports.amqp)).unwrap();
        ports.replace_taken_but(Some(before.amqp)).unwrap();
        assert_eq!(ports, before);
    }
}
