# Sourced by build-image.sh: the initial RAM disk, which only has to find the root disk.

make_initrd() {
  mkdir -p "$INITRD"/{bin,lib,dev,proc,sys,newroot}
  cp "$ROOT/bin/busybox" "$INITRD/bin/"
  local applet file number=10
  for applet in sh mount findfs insmod switch_root usleep; do
    ln -s busybox "$INITRD/bin/$applet"
  done
  # Numbered, because a module must be loaded after those that it needs.
  for file in $(module_files virtio_pci virtio_blk virtio_scsi sd_mod); do
    cp "$file" "$INITRD/lib/$number-${file##*/}"
    number=$((number + 1))
  done
  install -m755 "$HERE/initrd/init" "$INITRD/init"
  (cd "$INITRD" && find . | sort | cpio -o -H newc -R 0:0 --quiet --reproducible | gzip -9n) >"$WORK/initrd.gz"
}
