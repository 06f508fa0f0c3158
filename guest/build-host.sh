#!/bin/bash
# Builds skybus-host, a whole small machine in a RAM disk that can be a host of networks: for tests that want
# Debian's kernel, whatever kernel the machine that runs them has.
#
#   guest/build-host.sh OUTDIR PROGRAM...
#
# Result in OUTDIR:
#   skybus-host.vmlinuz  the kernel that the small guest has, too
#   skybus-host.initrd   busybox, the kernel's modules for networks, ip, bridge, nft, dnsmasq and conntrack as
#                        they are on this machine, and the PROGRAMs, stripped, in /usr/bin
#
# The programs come with the libraries that they have here. Packages are kept in OUTDIR/cache, as
# build-image.sh keeps them; nothing is installed, and no root rights are needed.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C

[ $# -ge 1 ] || { sed -n '2,15s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$1"
OUT=$(cd "$1" && pwd)
CACHE=$OUT/cache
NAME=skybus-host
shift

exec 9>"$OUT/.lock"
flock 9

. "$HERE/parts/packages.sh"

TOOLS=(ip bridge nft dnsmasq conntrack)
for tool in "${TOOLS[@]}" strip ldd; do
  command -v "$tool" >/dev/null || {
    echo "host image: the program $tool is missing; scripts/packages run build" >&2
    exit 1
  }
done
check_tools
choose_packages
fetch_packages

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
ROOT=$WORK/root
mkdir -p "$ROOT"/{bin,sbin,usr/bin,usr/sbin,lib,lib64,dev,proc,sys,run,tmp,root,var/lib,var/log,etc/skybus}

add_busybox() {
  install -m755 "$(unpacked busybox-static)/bin/busybox" "$ROOT/bin/busybox"
  local applet
  for applet in $("$ROOT/bin/busybox" --list); do
    [ -e "$ROOT/bin/$applet" ] || ln -s busybox "$ROOT/bin/$applet"
  done
  # The kernel looks for it by its full path when it wants a module.
  ln -s ../bin/busybox "$ROOT/sbin/modprobe"
}

# What the worker asks the kernel for, by families: which of them it needs is its own affair.
add_modules() {
  local file name place=$ROOT/lib/modules/$KERNEL
  mkdir -p "$place"
  local wanted=(virtio_pci virtio_net virtio_rng 8021q bridge br_netfilter veth tun vxlan macvlan dummy)
  while read -r file; do
    name=${file##*/}
    wanted+=("${name%.ko*}")
  done < <(find "$KERNEL_DIR/lib/modules/$KERNEL/kernel/net" -name 'nft_*.ko*' -o -name 'nf_conntrack*.ko*' -o \
    -name 'nf_tables*.ko*' -o -name 'nf_nat*.ko*' -o -name 'nf_reject*.ko*' -o -name 'nfnetlink*.ko*')
  module_files "${wanted[@]}" | while read -r file; do
    install -D -m644 "$file" "$place/${file#*"/lib/modules/$KERNEL/"}"
  done
  cp "$KERNEL_DIR/lib/modules/$KERNEL"/modules.{order,builtin,builtin.modinfo} "$place/"
  depmod -b "$ROOT" "$KERNEL"
}

# The libraries of a program, where the loader will look for them.
add_libraries() {
  local library
  ldd "$1" | grep -o '/[^ ]*' | while read -r library; do
    [ -e "$ROOT$library" ] || install -D -m755 "$library" "$ROOT$library"
  done
}

add_programs() {
  local program
  for program in "${TOOLS[@]}"; do
    program=$(command -v "$program")
    install -m755 "$program" "$ROOT/usr/sbin/"
    add_libraries "$program"
  done
  for program in "$@"; do
    strip -o "$ROOT/usr/bin/${program##*/}" "$program"
    add_libraries "$program"
  done
}

add_busybox
add_modules
add_programs "$@"
install -m755 "$HERE/host/init" "$ROOT/init"
install -m755 "$HERE/host/commands" "$HERE/root/etc/skybus/lease" "$ROOT/etc/skybus/"
# dnsmasq gives up its rights for nobody's.
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$ROOT/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$ROOT/etc/group"

# Not compressed: unpacking would cost an emulated machine seconds.
(cd "$ROOT" && find . | sort | cpio -o -H newc -R 0:0 --quiet) >"$OUT/.$NAME.new"
cp "$KERNEL_DIR/boot/vmlinuz-$KERNEL" "$OUT/.$NAME.kernel.new"
mv "$OUT/.$NAME.kernel.new" "$OUT/$NAME.vmlinuz"
mv "$OUT/.$NAME.new" "$OUT/$NAME.initrd"
