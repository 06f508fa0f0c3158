//! Frames as they are on a wire, made by hand and taken apart (IEEE 802.3, 802.1Q, RFC 826, 791 and 768).

use std::{
    fs::File,
    io::{Read, Write},
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    thread,
};

use super::{eventually, forwards, hold};

pub(crate) type Mac = [u8; 6];

pub(crate) const EVERYBODY: Mac = [0xff; 6];
/// What a tap puts before each frame; all zero asks for nothing.
const VIRTIO: usize = 10;
const IP: [u8; 2] = [8, 0];
const ARP: [u8; 2] = [8, 6];
const TAG: [u8; 2] = [0x81, 0];

pub(crate) fn mac(text: &str) -> Mac {
    let mut bytes = [0; 6];
    for (byte, part) in bytes.iter_mut().zip(text.split(':')) {
        *byte = u8::from_str_radix(part, 16).unwrap();
    }
    bytes
}

/// One end of a wire, held by the test.
pub(crate) struct Station {
    mouth: File,
    heard: Arc<Mutex<Vec<Frame>>>,
}

/// Addresses of a frame and of what it holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) from: (Mac, Ipv4Addr),
    pub(crate) to: (Mac, Ipv4Addr),
}

impl Station {
    /// At a tap that is plugged into a bridge.
    pub(crate) fn at(namespace: &str, name: &str) -> Self {
        let mouth = File::from(hold(namespace, name));
        forwards(namespace, name);
        let (mut ear, heard) = (mouth.try_clone().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let notes = Arc::clone(&heard);
        thread::spawn(move || {
            let mut buffer = [0; 70_000];
            while let Ok(length) = ear.read(&mut buffer) {
                if let Some(frame) = buffer.get(VIRTIO..length) {
                    notes.lock().unwrap().push(Frame(frame.to_vec()));
                }
            }
        });
        Self { mouth, heard }
    }

    pub(crate) fn say(&self, frame: &[u8]) {
        let whole = [&[0; VIRTIO], frame].concat();
        (&self.mouth).write_all(&whole).unwrap();
    }

    /// All that was heard so far.
    pub(crate) fn heard(&self) -> Vec<Frame> {
        self.heard.lock().unwrap().clone()
    }

    pub(crate) fn hears(&self, what: &str, is: impl Fn(&Frame) -> bool) {
        eventually(what, || self.heard.lock().unwrap().iter().any(&is));
    }

    pub(crate) fn forget(&self) {
        self.heard.lock().unwrap().clear();
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Frame(pub(crate) Vec<u8>);

impl Frame {
    pub(crate) fn to(&self) -> &[u8] {
        &self.0[..6]
    }

    pub(crate) fn from(&self) -> &[u8] {
        &self.0[6..12]
    }

    /// The number of its VLAN, if it is tagged.
    pub(crate) fn tag(&self) -> Option<u16> {
        let tag = self.0.get(12..16)?;
        (tag[..2] == TAG).then(|| u16::from_be_bytes([tag[2], tag[3]]) & 0xfff)
    }

    fn inner(&self) -> (&[u8], &[u8]) {
        let start = if self.tag().is_some() { 16 } else { 12 };
        self.0[start..].split_at(2)
    }

    /// The addresses of which an ARP frame speaks: sender, target.
    pub(crate) fn arp(&self) -> Option<[Ipv4Addr; 2]> {
        let (kind, body) = self.inner();
        let at = |start: usize| -> Ipv4Addr {
            <[u8; 4]>::try_from(&body[start..start + 4]).unwrap().into()
        };
        (kind == ARP).then(|| [at(14), at(24)])
    }

    /// An IPv4 packet with its header.
    pub(crate) fn ip(&self) -> Option<&[u8]> {
        let (kind, body) = self.inner();
        (kind == IP).then_some(body)
    }

    pub(crate) fn ip_from(&self) -> Option<Ipv4Addr> {
        Some(<[u8; 4]>::try_from(self.ip()?.get(12..16)?).unwrap().into())
    }

    pub(crate) fn ip_to(&self) -> Option<Ipv4Addr> {
        Some(<[u8; 4]>::try_from(self.ip()?.get(16..20)?).unwrap().into())
    }

    /// To which UDP port.
    pub(crate) fn udp_to(&self) -> Option<u16> {
        let packet = self.ip().filter(|packet| packet[9] == 17)?;
        let start = usize::from(packet[0] & 15) * 4 + 2;
        Some(u16::from_be_bytes([packet[start], packet[start + 1]]))
    }

    pub(crate) fn contains(&self, word: &[u8]) -> bool {
        self.0.windows(word.len()).any(|part| part == word)
    }
}

fn frame(way: Way, kind: [u8; 2], tag: Option<u16>, body: &[u8]) -> Vec<u8> {
    let tag = tag
        .map(|id| [TAG, id.to_be_bytes()].concat())
        .unwrap_or_default();
    [&way.to.0[..], &way.from.0, &tag, &kind, body].concat()
}

/// `word`, from port 9 to a port.
pub(crate) fn udp(way: Way, port: u16, word: &[u8]) -> Vec<u8> {
    tagged_udp(way, None, port, word)
}

pub(crate) fn tagged_udp(way: Way, tag: Option<u16>, port: u16, word: &[u8]) -> Vec<u8> {
    let length = |more: usize| u16::try_from(word.len() + more).unwrap().to_be_bytes();
    let mut header = [0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0].to_vec();
    header[2..4].copy_from_slice(&length(28));
    header.extend(way.from.1.octets());
    header.extend(way.to.1.octets());
    let mut sum: u32 = 0;
    for pair in header.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair[1]]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    header[10..12].copy_from_slice(&(!u16::try_from(sum).unwrap()).to_be_bytes());
    // Without a checksum, which UDP may leave out.
    let ports = [
        &9_u16.to_be_bytes()[..],
        &port.to_be_bytes(),
        &length(8),
        &[0, 0],
    ]
    .concat();
    frame(way, IP, tag, &[&header[..], &ports, word].concat())
}

/// Says who has the sender's address, to whom it concerns.
pub(crate) fn arp_answer(way: Way) -> Vec<u8> {
    arp(way, 2, way.to.0)
}

/// Asks everybody who has an address.
pub(crate) fn arp_question(from: (Mac, Ipv4Addr), asked: Ipv4Addr) -> Vec<u8> {
    let to = (EVERYBODY, asked);
    arp(Way { from, to }, 1, [0; 6])
}

fn arp(way: Way, what: u8, target: Mac) -> Vec<u8> {
    let head = [0, 1, 8, 0, 6, 4, 0, what];
    let (from, to) = (way.from.1.octets(), way.to.1.octets());
    frame(
        way,
        ARP,
        None,
        &[&head[..], &way.from.0, &from, &target, &to].concat(),
    )
}
