//! Taps: the end of a virtual cable whose other end is a descriptor.
//!
//! The network worker makes a tap persistent inside its network's namespace; the compute worker opens
//! it there and hands the descriptor to QEMU, which itself is neither root nor in the namespace.

use std::{
    fs::{File, OpenOptions},
    io,
    os::fd::OwnedFd,
};

use rustix::ioctl::{IntegerSetter, Setter, ioctl, opcode};

use crate::namespace::{explain, inside};

const TUNSETIFF: rustix::ioctl::Opcode = opcode::write::<i32>(b'T', 202);
const TUNSETPERSIST: rustix::ioctl::Opcode = opcode::write::<i32>(b'T', 203);
const TUNSETOWNER: rustix::ioctl::Opcode = opcode::write::<i32>(b'T', 204);

const IFF_TAP: u16 = 0x0002;
const IFF_NO_PI: u16 = 0x1000;
const IFF_VNET_HDR: u16 = 0x4000;

/// `struct ifreq` as far as a tap needs it: 40 bytes on every 64-bit Linux.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// Opens the tap `name` inside `namespace`. One descriptor at a time may be open; frames that the
/// bridge sends to the tap are read from it, with a virtio header in front.
///
/// # Errors
/// `NotFound` when there is no such namespace or tap (it is never made here: a tap that only exists
/// while its guest runs would have no rules), `ResourceBusy` when it is open already.
pub fn open(namespace: &str, name: &str) -> io::Result<OwnedFd> {
    let name = interface_name(name)?;
    inside(namespace, || {
        // Attaching to a name that does not exist would make it.
        rustix::net::netdevice::name_to_index(&tun_socket()?, text(&name))
            .map_err(|_| io::Error::new(io::ErrorKind::NotFound, "there is no such tap"))?;
        Ok(attach(&name)?.into())
    })
    .map_err(|error| {
        explain(
            error,
            &format!("opening the tap {} in {namespace}", text(&name)),
        )
    })
}

/// Makes the tap `name` inside `namespace` and keeps it there when nobody has it open. Only root and
/// `owner`, if there is one, may open it.
///
/// # Errors
/// When there is no such namespace, or the kernel refuses.
pub fn make(namespace: &str, name: &str, owner: Option<u32>) -> io::Result<()> {
    let name = interface_name(name)?;
    inside(namespace, || {
        let tap = attach(&name)?;
        if let Some(owner) = owner {
            set(&tap, Number::<TUNSETOWNER>(owner as usize))?;
        }
        set(&tap, Number::<TUNSETPERSIST>(1))
    })
    .map_err(|error| {
        explain(
            error,
            &format!("making the tap {} in {namespace}", text(&name)),
        )
    })
}

struct Number<const OPCODE: rustix::ioctl::Opcode>(usize);

fn set<const OPCODE: rustix::ioctl::Opcode>(tap: &File, number: Number<OPCODE>) -> io::Result<()> {
    // SAFETY: both requests that are used here take a plain integer and write to no memory of ours.
    let request = unsafe { IntegerSetter::<OPCODE>::new_usize(number.0) };
    // SAFETY: the descriptor is a tap of ours, and the request is as the kernel defines it.
    unsafe { ioctl(tap, request) }.map_err(Into::into)
}

fn attach(name: &[u8; 16]) -> io::Result<File> {
    let tap = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun")
        .map_err(|error| explain(error, "opening /dev/net/tun (is the module `tun` loaded?)"))?;
    let request = InterfaceRequest {
        name: *name,
        flags: IFF_TAP | IFF_NO_PI | IFF_VNET_HDR,
        rest: [0; 22],
    };
    // SAFETY: TUNSETIFF reads a `struct ifreq`, which is what this is.
    let request = unsafe { Setter::<TUNSETIFF, InterfaceRequest>::new(request) };
    // SAFETY: the descriptor is /dev/net/tun; the kernel copies the request and keeps no pointer to it.
    unsafe { ioctl(&tap, request) }?;
    Ok(tap)
}

fn tun_socket() -> io::Result<OwnedFd> {
    use rustix::net::{AddressFamily, SocketType, socket};
    Ok(socket(AddressFamily::INET, SocketType::DGRAM, None)?)
}

fn interface_name(name: &str) -> io::Result<[u8; 16]> {
    let fits = (1..=15).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !fits {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{name:?} cannot be a tap's name"),
        ));
    }
    let mut bytes = [0; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    Ok(bytes)
}

fn text(name: &[u8; 16]) -> &str {
    std::str::from_utf8(name)
        .unwrap_or_default()
        .trim_end_matches('\0')
}

#[cfg(test)]
mod tests;
