//! Headers, honest and not.

use super::*;

/// What `qemu-img create -f qcow2` writes for a disk of 1 GiB, as far as it is looked at.
fn honest(version: u32) -> Vec<u8> {
    let mut head = vec![0_u8; HEAD];
    let mut put = |at: usize, bytes: &[u8]| head[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"QFI\xfb");
    put(4, &version.to_be_bytes());
    put(20, &16_u32.to_be_bytes());
    put(24, &(1_u64 << 30).to_be_bytes());
    put(36, &2_u32.to_be_bytes());
    put(40, &0x30000_u64.to_be_bytes());
    put(48, &0x10000_u64.to_be_bytes());
    put(56, &1_u32.to_be_bytes());
    put(96, &4_u32.to_be_bytes());
    put(100, &104_u32.to_be_bytes());
    head
}

const SIZE: u64 = 0x40000;

fn with(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut head = honest(3);
    head[at..at + bytes.len()].copy_from_slice(bytes);
    head
}

#[test]
fn an_honest_image_is_taken_and_its_disk_is_known() {
    for version in [2, 3] {
        assert_eq!(
            check(DiskFormat::Qcow2, &honest(version), SIZE),
            Ok(1 << 30)
        );
    }
    assert_eq!(check(DiskFormat::Raw, &[0; 1000], 1000), Ok(1024));
}

#[test]
fn what_reaches_for_other_files_is_refused() {
    let backing_offset = with(8, &0x200_u64.to_be_bytes());
    let backing_size = with(16, &9_u32.to_be_bytes());
    let data_file = with(72, &4_u64.to_be_bytes());
    let named = with(104, &[0x44, 0x41, 0x54, 0x41, 0, 0, 0, 8]);
    let mut hidden = with(104, &[0xe2, 0x79, 0x2a, 0xca, 0, 0, 0, 5]);
    hidden[120..128].copy_from_slice(&[0x44, 0x41, 0x54, 0x41, 0, 0, 0, 8]);
    for head in [backing_offset, backing_size, data_file, named, hidden] {
        let refused = check(DiskFormat::Qcow2, &head, SIZE);
        assert!(matches!(refused, Err(Refused::Reaches(_))), "{refused:?}");
    }
}

#[test]
fn what_is_damaged_or_strange_is_refused() {
    for head in [
        with(4, &4_u32.to_be_bytes()),
        with(20, &8_u32.to_be_bytes()),
        with(20, &40_u32.to_be_bytes()),
        with(24, &0_u64.to_be_bytes()),
        with(24, &u64::MAX.to_be_bytes()),
        with(32, &1_u32.to_be_bytes()),
        with(36, &0_u32.to_be_bytes()),
        with(36, &u32::MAX.to_be_bytes()),
        with(40, &u64::MAX.to_be_bytes()),
        with(40, &0x30001_u64.to_be_bytes()),
        with(56, &u32::MAX.to_be_bytes()),
        with(72, &2_u64.to_be_bytes()),
        with(72, &(1_u64 << 40).to_be_bytes()),
        with(100, &u32::MAX.to_be_bytes()),
        with(104, &[1, 1, 1, 1, 0xff, 0xff, 0xff, 0xff]),
    ] {
        assert!(
            check(DiskFormat::Qcow2, &head, SIZE).is_err(),
            "{:?}",
            &head[..112]
        );
    }
    assert_eq!(
        check(DiskFormat::Qcow2, &[0; 512], 512),
        Err(Refused::NotQcow2)
    );
    let cut = check(DiskFormat::Qcow2, &honest(3), 0x20000);
    assert!(matches!(cut, Err(Refused::Damaged(_))), "{cut:?}");
}

#[test]
fn a_header_cut_at_any_byte_is_refused_and_never_a_panic() {
    let head = honest(3);
    for length in 0..112 {
        assert!(check(DiskFormat::Qcow2, &head[..length], length as u64).is_err());
    }
}

#[test]
fn raw_that_is_something_else_is_refused() {
    assert_eq!(
        check(DiskFormat::Raw, &honest(3), SIZE),
        Err(Refused::NotRaw("a qcow2 image"))
    );
    assert_eq!(
        check(DiskFormat::Raw, b"\x1f\x8b\x08", 3),
        Err(Refused::Compressed("gzip"))
    );
    let mut vdi = vec![0; 512];
    vdi[64..68].copy_from_slice(b"\x7f\x10\xda\xbe");
    assert_eq!(
        check(DiskFormat::Raw, &vdi, 512),
        Err(Refused::NotRaw("a VDI image"))
    );
    assert_eq!(check(DiskFormat::Raw, &[], 0), Err(Refused::Empty));
}
