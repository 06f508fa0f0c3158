//! The wire of a public interface: an interface of this host, and a machine of the outside at its far end.

use std::{
    net::Ipv4Addr,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use skybus_network::program::{Place, ip};
use skybus_sys::namespace;

use super::unique;

static COUNT: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Wire {
    /// The machine outside.
    pub(crate) name: String,
    /// Its address.
    pub(crate) address: Ipv4Addr,
    /// This host's address on the wire.
    pub(crate) host: Ipv4Addr,
    /// This host's interface.
    pub(crate) link: String,
    first: u32,
}

impl Wire {
    pub(crate) fn new() -> Self {
        let (name, link) = (format!("outside-{}", unique()), format!("pb{}", unique()));
        // Of 198.18.0.0/15, which is set aside for such use, sixteen addresses that no other test here has.
        let slot = (std::process::id() * 4 + COUNT.fetch_add(1, Ordering::Relaxed)) % (1 << 13);
        let first = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + slot * 16;
        let [host, address] = [1, 2].map(|n| Ipv4Addr::from(first + n));
        namespace::make(&name).unwrap();
        let lines = format!(
            "link add {link} type veth peer name eth0 netns {name}\n\
             address add {host}/28 dev {link}\nlink set {link} up\n"
        );
        ip(Place::Host, &lines).unwrap();
        super::ip(&name, &format!("address add {address}/28 dev eth0"));
        super::ip(&name, "link set eth0 up");
        Self {
            name,
            address,
            host,
            link,
            first,
        }
    }

    /// Whether the machine outside gets an answer from a guest's SSH under the floating IP.
    pub(crate) fn reaches(&self, floating: Ipv4Addr) -> bool {
        let patience = Duration::from_secs(2);
        skybus_sys::socket::connect(&self.name, (floating, 22).into(), patience).is_ok()
    }

    /// Where the machine outside believes the address to be: a line of its ARP table, or nothing.
    pub(crate) fn knows(&self, floating: Ipv4Addr) -> String {
        let table = namespace::inside(&self.name, || {
            std::fs::read_to_string("/proc/thread-self/net/arp")
        });
        let (table, word) = (table.unwrap(), floating.to_string());
        let mut lines = table.lines();
        let line = lines.find(|line| line.split_whitespace().next() == Some(&word));
        line.unwrap_or_default().to_owned()
    }

    /// The n-th address of the wire that nobody has: 3 to 14.
    pub(crate) fn free(&self, n: u32) -> Ipv4Addr {
        Ipv4Addr::from(self.first + n)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let _ = Command::new("ip")
            .args(["link", "delete", &self.link])
            .status();
        let _ = namespace::delete(&self.name);
    }
}
