//! The wire beside a host, as far as IPv4 addresses on it go (RFC 826): saying that an address is here now,
//! and asking whether another machine answers for it.

use std::{
    collections::BTreeMap,
    io,
    net::Ipv4Addr,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType,
        addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque},
        bind,
        netdevice::name_to_index,
        recv, send, socket_with,
    },
};

use crate::namespace::explain;

/// A hardware address.
pub type Mac = [u8; 6];

const EVERYBODY: Mac = [0xff; 6];
/// EtherType ARP; then Ethernet and IPv4 with their addresses' lengths.
const HEAD: [u8; 8] = [0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4];
const REQUEST: u8 = 1;

/// An interface, opened to say and hear ARP on it.
#[derive(Debug)]
pub struct Wire {
    socket: OwnedFd,
    mac: Mac,
}

/// `struct sockaddr_ll` as far as binding needs it.
#[repr(C)]
struct LinkAddress {
    family: u16,
    protocol: u16,
    index: i32,
    hardware: u16,
    packet: u8,
    length: u8,
    address: [u8; 8],
}

// SAFETY: the pointer is to a whole `sockaddr_ll` that lives for the call, with its own length.
unsafe impl SocketAddrArg for LinkAddress {
    unsafe fn with_sockaddr<R>(
        &self,
        f: impl FnOnce(*const SocketAddrOpaque, SocketAddrLen) -> R,
    ) -> R {
        f(
            std::ptr::from_ref(self).cast(),
            size_of::<Self>() as SocketAddrLen,
        )
    }
}

impl Wire {
    /// The wire that the interface of this name and hardware address is plugged into.
    ///
    /// # Errors
    /// When there is no such interface, or it may not be opened (that needs root).
    pub fn open(interface: &str, mac: Mac) -> io::Result<Self> {
        let open = || -> io::Result<OwnedFd> {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            // It hears nothing before it is bound to its one interface.
            let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None)?;
            let index = name_to_index(&socket, interface)?;
            let address = LinkAddress {
                family: AddressFamily::PACKET.as_raw(),
                protocol: 0x0806_u16.to_be(),
                index: i32::try_from(index).map_err(io::Error::other)?,
                hardware: 0,
                packet: 0,
                length: 0,
                address: [0; 8],
            };
            bind(&socket, &address)?;
            Ok(socket)
        };
        let socket = open().map_err(|error| explain(error, &format!("ARP on {interface}")))?;
        Ok(Self { socket, mac })
    }

    /// Says to everybody that the address is here. Who has another idea of where it is takes this one.
    ///
    /// # Errors
    /// When the interface is down or gone.
    pub fn announce(&self, address: Ipv4Addr) -> io::Result<()> {
        self.say(address, address)
    }

    /// Which of `addresses` another machine answers for, and which: they are asked for twice, and answers
    /// heard for `patience`. `from` is an address of this host on the wire, if it has one: a machine that
    /// answers on behalf of another wants to know whom it answers.
    ///
    /// # Errors
    /// When the interface is down or gone.
    pub fn others(
        &self,
        from: Option<Ipv4Addr>,
        addresses: &[Ipv4Addr],
        patience: Duration,
    ) -> io::Result<BTreeMap<Ipv4Addr, Mac>> {
        let mut found = BTreeMap::new();
        for _ in 0..2 {
            for address in addresses {
                self.say(from.unwrap_or(Ipv4Addr::UNSPECIFIED), *address)?;
            }
            let until = Instant::now() + patience / 2;
            while let Some(frame) = self.hear(until)? {
                if let Some((address, mac)) = speaker(&frame)
                    && mac != self.mac
                    && addresses.contains(&address)
                {
                    found.insert(address, mac);
                }
            }
        }
        Ok(found)
    }

    fn say(&self, sender: Ipv4Addr, target: Ipv4Addr) -> io::Result<()> {
        let mut frame = Vec::with_capacity(42);
        frame.extend(EVERYBODY);
        frame.extend(self.mac);
        frame.extend(HEAD);
        frame.extend([0, REQUEST]);
        frame.extend(self.mac);
        frame.extend(sender.octets());
        frame.extend([0; 6]);
        frame.extend(target.octets());
        send(&self.socket, &frame, SendFlags::empty())?;
        Ok(())
    }

    /// The next frame before `until`.
    fn hear(&self, until: Instant) -> io::Result<Option<Vec<u8>>> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let limit = Timespec::try_from(left).map_err(io::Error::other)?;
            if poll(
                &mut [PollFd::new(&self.socket, PollFlags::IN)],
                Some(&limit),
            )? == 0
            {
                return Ok(None);
            }
            let mut frame = vec![0; 128];
            match recv(&self.socket, frame.as_mut_slice(), RecvFlags::empty()) {
                Ok((length, _)) => {
                    frame.truncate(length);
                    return Ok(Some(frame));
                }
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Who says, in this frame, that which address is its own. A question without a sender says nothing.
fn speaker(frame: &[u8]) -> Option<(Ipv4Addr, Mac)> {
    let packet = frame.get(12..42)?;
    if packet[..8] != HEAD {
        return None;
    }
    let mac: Mac = packet[10..16].try_into().ok()?;
    let address: [u8; 4] = packet[16..20].try_into().ok()?;
    Some((Ipv4Addr::from(address), mac))
}

#[cfg(test)]
mod tests;
