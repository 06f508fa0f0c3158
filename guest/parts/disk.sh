# Sourced by build-image.sh: the disk with its boot loader.

DISK_MIB=40
# No ttyS0 log level games: "quiet" alone leaves warnings. The rest saves boot time under emulation.
COMMAND_LINE="console=tty0 console=ttyS0,115200 net.ifnames=0 mitigations=off random.trust_cpu=on no_timer_check cryptomgr.notests panic=10 quiet"

make_disk() {
  cp "$KERNEL_DIR/boot/vmlinuz-$KERNEL" "$ROOT/boot/vmlinuz"
  cp "$WORK/initrd.gz" "$ROOT/boot/initrd.gz"
  cat >"$ROOT/boot/grub/grub.cfg" <<CFG
set timeout=0
linux /boot/vmlinuz $COMMAND_LINE
initrd /boot/initrd.gz
boot
CFG
  local raw=$WORK/disk.raw
  make_partition "$raw"
  add_grub "$raw"
  qemu-img convert -c -f raw -O qcow2 "$raw" "$WORK/disk.qcow2"
  # Moved into place whole, so that nobody ever reads half an image.
  cp "$WORK/disk.qcow2" "$OUT/.$NAME.new" && mv "$OUT/.$NAME.new" "$OUT/$NAME.qcow2"
  cp "$ROOT/boot/vmlinuz" "$OUT/$NAME.vmlinuz"
  cp "$WORK/initrd.gz" "$OUT/$NAME.initrd"
}

# One ext4 partition behind a first MiB that is left to the boot loader. GRUB 2.06 reads ext4 only
# without the newer features that are switched off here.
make_partition() {
  local raw=$1 part=$WORK/part.ext4
  truncate -s "${DISK_MIB}M" "$raw"
  printf 'label: dos\nlabel-id: 0x736b7962\nstart=2048, type=83, bootable\n' | sfdisk -q "$raw"
  truncate -s "$((DISK_MIB - 1))M" "$part"
  mke2fs -q -F -t ext4 -b 4096 -N 2048 -m 0 -J size=4 -O '^metadata_csum,^64bit,^huge_file,^resize_inode' \
    -L skybusroot -E root_owner=0:0 -d "$ROOT" "$part"
  dd if="$part" of="$raw" bs=1M seek=1 conv=notrunc,sparse status=none
}

# What grub-install would do, on a file: the first stage into the boot sector (leaving the partition
# table, which follows byte 440), the second into the sectors between it and the partition.
add_grub() {
  local raw=$1 grub core=$WORK/core.img
  grub=$(unpacked grub-pc-bin)/usr/lib/grub/i386-pc
  grub-mkimage -d "$grub" -O i386-pc -p '(,msdos1)/boot/grub' -o "$core" biosdisk part_msdos ext2 normal linux
  [ "$(stat -c %s "$core")" -lt $((2047 * 512)) ] || { echo "guest image: GRUB does not fit before the partition" >&2; exit 1; }
  dd if="$grub/boot.img" of="$raw" bs=1 count=440 conv=notrunc status=none
  dd if="$core" of="$raw" bs=512 seek=1 conv=notrunc status=none
}
