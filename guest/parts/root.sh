# Sourced by build-image.sh: the guest's root file system, made in $ROOT.

make_root() {
  mkdir -p "$ROOT"/{bin,sbin,usr/bin,usr/sbin,lib,lib64,dev,proc,sys,run,tmp,mnt,boot/grub} \
    "$ROOT"/{root,home/tiny,etc/dropbear,var/log,var/lib/skybus}
  chmod 1777 "$ROOT/tmp"
  chmod 700 "$ROOT/root"
  add_busybox
  add_dropbear
  add_modules
  cp -R "$HERE/root/." "$ROOT/"
  chmod 755 "$ROOT"/etc/skybus/{boot,shutdown,interface,lease,metadata,personalise,hotplug} "$ROOT"/etc/acpi/PWRF/*
  add_accounts
}

add_busybox() {
  install -m755 "$(unpacked busybox-static)/bin/busybox" "$ROOT/bin/busybox"
  local applet
  for applet in $("$ROOT/bin/busybox" --list); do
    [ -e "$ROOT/bin/$applet" ] || ln -s busybox "$ROOT/bin/$applet"
  done
  # The kernel and init look for these by their full path.
  for applet in init modprobe getty poweroff reboot halt; do
    ln -s ../bin/busybox "$ROOT/sbin/$applet"
  done
}

add_dropbear() {
  local tree library file
  tree=$(unpacked dropbear-bin)
  install -m755 "$tree/usr/sbin/dropbear" "$ROOT/usr/sbin/"
  install -m755 "$tree/usr/bin/dropbearkey" "$tree/usr/bin/dbclient" "$ROOT/usr/bin/"
  ln -s dbclient "$ROOT/usr/bin/ssh"
  for library in libtomcrypt.so.1 libtommath.so.1 libgmp.so.10 libz.so.1 libcrypt.so.1 libc.so.6 libnss_files.so.2; do
    file=$(find "$CACHE"/lib*=* "$(unpacked zlib1g)" -name "$library" -print -quit)
    cp -L "$file" "$ROOT/lib/"
  done
  cp -L "$(unpacked libc6)/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" "$ROOT/lib64/"
}

# Drivers for what a cloud plugs in: virtio, IDE for a config drive on a CD-ROM, file systems for it.
add_modules() {
  local file place=$ROOT/lib/modules/$KERNEL
  mkdir -p "$place"
  module_files virtio_pci virtio_blk virtio_scsi virtio_net virtio_rng virtio_balloon virtio_console \
    sd_mod sr_mod ata_piix isofs vfat nls_cp437 nls_ascii nls_utf8 button evdev 8021q |
    while read -r file; do
      install -D -m644 "$file" "$place/${file#*"/lib/modules/$KERNEL/"}"
    done
  cp "$KERNEL_DIR/lib/modules/$KERNEL"/modules.{order,builtin,builtin.modinfo} "$place/"
  depmod -b "$ROOT" "$KERNEL"
}

# On the console both accounts have the password "skybus", until metadata brings another one; over SSH
# only keys are taken.
add_accounts() {
  local hash
  hash=$(openssl passwd -5 -salt skybustiny skybus)
  printf '%s:%s:19000:0:99999:7:::\n' root "$hash" tiny "$hash" >"$ROOT/etc/shadow"
  chmod 600 "$ROOT/etc/shadow"
}
