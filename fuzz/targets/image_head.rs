//! The first bytes of an image, as the API looks at them before it takes an upload and as a host does before
//! it gives the image to QEMU. What the API lets in, a host must understand in the same way.

#![no_main]

use libfuzzer_sys::fuzz_target;
use skybus_api::fuzzing::disk_size;
use skybus_compute::fuzzing::qcow2_size;
use skybus_model::image::DiskFormat;

const SECTOR: u64 = 512;
const MOST: u64 = 16 << 40;

fuzz_target!(|bytes: &[u8]| {
    // The size is the client's claim, too.
    let Some((size, head)) = bytes.split_first_chunk::<8>() else {
        return;
    };
    let size = u64::from_le_bytes(*size) >> 8;
    let from_host = qcow2_size(head.get(..104).unwrap_or(head));
    if let Some(disk) = disk_size(DiskFormat::Qcow2, head, size) {
        assert!(disk > 0 && disk <= MOST && disk.is_multiple_of(SECTOR));
        let names_another = head[8..16] != [0; 8] || head[16..20] != [0; 4];
        assert!(!names_another, "an image with a backing file was let in");
        let host = from_host.map(|size| size.next_multiple_of(SECTOR));
        assert_eq!(host, Some(disk), "a host sees another disk in it");
        assert_eq!(
            disk_size(DiskFormat::Raw, head, size),
            None,
            "both raw and qcow2"
        );
    }
    if let Some(disk) = disk_size(DiskFormat::Raw, head, size) {
        assert!(disk >= size && disk - size < SECTOR);
        assert_eq!(from_host, None, "raw, and yet QEMU would probe it as qcow2");
    }
});
