//! The wire between two hosts: each puts its frames into the other's socket, and what passes one end is written
//! down by QEMU, outside of the hosts.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// Of a file in pcap's form, and of each record in it.
const HEADER: usize = 24;
const RECORD: usize = 16;
/// In the byte order of the machine that wrote it.
const MAGIC: u32 = 0xa1b2_c3d4;
/// EtherType of a tag (IEEE 802.1Q).
const TAGGED: u16 = 0x8100;

/// The wire.
#[derive(Debug)]
pub struct Wire {
    directory: TempDir,
}

/// A frame that was on the wire.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Frame {
    /// The VLAN, if it has a tag.
    pub vlan: Option<u16>,
    /// Who sent it: a hardware address, in small letters.
    pub from: String,
    /// Whom it is for.
    pub to: String,
    /// What is in it, behind the tag.
    pub kind: u16,
}

impl Wire {
    /// A wire with nobody on it.
    ///
    /// # Errors
    /// When there is no directory to be had.
    pub fn new() -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("skybus-wire-")
            .tempdir()
            .context("making a directory for a wire")?;
        Ok(Self { directory })
    }

    /// Where its files are, and those of the hosts on it.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What QEMU is told of it, at one of the two ends.
    pub(super) fn arguments(&self, end: usize) -> Vec<String> {
        let socket = |end: usize| self.directory().join(format!("end-{end}"));
        let (own, other) = (socket(end), socket(1 - end));
        let network = format!(
            "dgram,id=wire,local.type=unix,local.path={},remote.type=unix,remote.path={}",
            own.display(),
            other.display()
        );
        let mut arguments = vec!["-netdev".to_owned(), network];
        if end == 0 {
            let file = self.record().display().to_string();
            let dump = format!("filter-dump,id=record,netdev=wire,file={file}");
            arguments.extend(["-object".to_owned(), dump]);
        }
        arguments
    }

    fn record(&self) -> PathBuf {
        self.directory().join("record.pcap")
    }

    /// All frames so far, in order.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn frames(&self) -> Result<Vec<Frame>> {
        let record = fs::read(self.record()).context("the record of the wire")?;
        read(&record)
    }

    /// The VLANs in whose frames one of these hardware addresses stands; `None` among them when one of them has
    /// no tag.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn vlans_of(&self, machines: &[&str]) -> Result<BTreeSet<Option<u16>>> {
        let theirs = |frame: &Frame| machines.iter().any(|m| *m == frame.from || *m == frame.to);
        let frames = self.frames()?.into_iter();
        Ok(frames.filter(theirs).map(|frame| frame.vlan).collect())
    }
}

/// A record that is still being written ends in the middle of a frame.
fn read(record: &[u8]) -> Result<Vec<Frame>> {
    let Some((header, mut rest)) = record.split_at_checked(HEADER) else {
        return Ok(Vec::new());
    };
    ensure!(
        number(header, 0) == Some(MAGIC),
        "this is no record of a wire"
    );
    let mut frames = Vec::new();
    while let Some((head, behind)) = rest.split_at_checked(RECORD) {
        let length = usize::try_from(number(head, 8).context("a record's length")?)?;
        let Some((bytes, behind)) = behind.split_at_checked(length) else {
            break;
        };
        frames.extend(frame(bytes));
        rest = behind;
    }
    Ok(frames)
}

fn frame(bytes: &[u8]) -> Option<Frame> {
    let kind_at = |at: usize| Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let outer = kind_at(12)?;
    let (vlan, kind) = match outer {
        TAGGED => (Some(kind_at(14)? & 0xfff), kind_at(16)?),
        _ => (None, outer),
    };
    Some(Frame {
        vlan,
        from: address(&bytes[6..12]),
        to: address(&bytes[..6]),
        kind,
    })
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(four.try_into().ok()?))
}

fn address(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_up_to_where_it_is_being_written() {
        let mut record = [MAGIC.to_ne_bytes().as_slice(), &[0; 20]].concat();
        let head = [[2; 6], [0xab; 6]].concat();
        let tagged = [head.as_slice(), &[0x81, 0, 0x20, 100, 8, 6, 0]].concat();
        let plain = [head.as_slice(), &[8, 0, 0]].concat();
        for bytes in [&tagged, &plain, &tagged] {
            let length = u32::try_from(bytes.len()).unwrap().to_ne_bytes();
            record.extend([[0; 8].as_slice(), &length, &length, bytes].concat());
        }
        record.pop();
        let frames = read(&record).unwrap();
        let of = |vlan, kind| Frame {
            vlan,
            from: "ab:ab:ab:ab:ab:ab".to_owned(),
            to: "02:02:02:02:02:02".to_owned(),
            kind,
        };
        assert_eq!(frames, [of(Some(100), 0x0806), of(None, 0x0800)]);
        assert!(read(&record[..20]).unwrap().is_empty());
        assert!(read(&[0; 40]).is_err());
    }
}
