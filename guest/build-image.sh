#!/bin/bash
# Builds skybus-tiny, a small bootable cloud guest, out of Debian 12 packages.
#
#   guest/build-image.sh OUTDIR
#
# Result in OUTDIR:
#   skybus-tiny.qcow2    a bootable disk: MBR, GRUB, one ext4 partition
#   skybus-tiny.vmlinuz  the same kernel and initrd once more, for booting the disk's
#   skybus-tiny.initrd   root file system without a boot loader
#
# It needs no root rights, no loop device and no mount, and installs nothing: packages are downloaded
# into OUTDIR/cache and only unpacked. A second run does nothing unless a package has a newer version
# or a file beside this script has changed.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C
# One fixed time stamp, so that the same input gives the same bytes.
export SOURCE_DATE_EPOCH=1700000000

[ $# -eq 1 ] || { sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$1"
OUT=$(cd "$1" && pwd)
CACHE=$OUT/cache
NAME=skybus-tiny

# Two builds at the same time share one result: the second waits, and finds it done.
exec 9>"$OUT/.lock"
flock 9

. "$HERE/parts/packages.sh"
. "$HERE/parts/root.sh"
. "$HERE/parts/initrd.sh"
. "$HERE/parts/disk.sh"

check_tools
choose_packages

# What the image depends on: the packages' versions and every file of this directory that is for it.
recipe=$({
  echo "${VERSIONS[@]}"
  cd "$HERE"
  find . -type f ! -name check-image.sh ! -name build-host.sh ! -path './host/*' -print0 | sort -z | xargs -0 sha256sum
} | sha256sum | cut -d' ' -f1)
if [ "$(cat "$OUT/$NAME.recipe" 2>/dev/null)" = "$recipe" ] && [ -s "$OUT/$NAME.qcow2" ]; then
  echo "guest image: $OUT/$NAME.qcow2 is up to date"
  exit 0
fi

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
ROOT=$WORK/root INITRD=$WORK/initrd
mkdir -p "$ROOT" "$INITRD"

echo "guest image: building it from kernel $KERNEL"
fetch_packages
make_root
make_initrd
make_disk
# The recipe is written last: an interrupted build is begun again.
echo "$recipe" >"$OUT/$NAME.recipe"
echo "guest image: $OUT/$NAME.qcow2 ($(du -h "$OUT/$NAME.qcow2" | cut -f1))"
