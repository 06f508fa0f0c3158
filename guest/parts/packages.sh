# Sourced by build-image.sh: which Debian packages go in, and how they get here.

check_tools() {
  local tool missing=
  for tool in apt-get dpkg-deb mke2fs sfdisk cpio gzip qemu-img grub-mkimage depmod modprobe openssl; do
    command -v "$tool" >/dev/null || missing+=" $tool"
  done
  [ -z "$missing" ] || {
    echo "guest image: these programs are missing:$missing; install them with: apt-get install --no-install-recommends e2fsprogs fdisk cpio qemu-utils grub-common kmod openssl" >&2
    exit 1
  }
}

# Sets KERNEL (the release), KERNEL_PACKAGE, PACKAGES and VERSIONS (package=version, the newest known).
choose_packages() {
  KERNEL_PACKAGE=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null |
    sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n1)
  [ -n "$KERNEL_PACKAGE" ] || {
    echo "guest image: apt knows no package linux-image-cloud-amd64; run: apt-get update" >&2
    exit 1
  }
  KERNEL=${KERNEL_PACKAGE#linux-image-}
  # The libraries are dropbear's.
  PACKAGES=("$KERNEL_PACKAGE" busybox-static dropbear-bin grub-pc-bin
    libtomcrypt1 libtommath1 libgmp10 zlib1g libcrypt1 libc6)
  mapfile -t VERSIONS < <(apt-cache policy "${PACKAGES[@]}" |
    awk '/^[^ ]/ { sub(/:$/, ""); package = $0 } $1 == "Candidate:" { print package "=" $2 }')
}

# Unpacks every package into CACHE/NAME=VERSION, and sets KERNEL_DIR.
fetch_packages() {
  mkdir -p "$CACHE"
  local wanted
  for wanted in "${VERSIONS[@]}"; do
    [ -d "$CACHE/$wanted" ] || fetch_package "$wanted"
  done
  KERNEL_DIR=$(unpacked "$KERNEL_PACKAGE")
  # The package's own installation script would do this; modprobe needs it to tell what needs what.
  [ -e "$KERNEL_DIR/lib/modules/$KERNEL/modules.dep" ] || depmod -b "$KERNEL_DIR" "$KERNEL"
}

fetch_package() {
  local wanted=$1 place=$CACHE/.$1.new
  rm -rf "$place" && mkdir -p "$place/tree"
  (cd "$place" && apt-get -q download "$wanted") >"$place/log" 2>&1 || {
    cat "$place/log" >&2
    echo "guest image: could not download $wanted; if the version is gone, run: apt-get update" >&2
    exit 1
  }
  dpkg-deb -x "$place"/*.deb "$place/tree"
  mv "$place/tree" "$CACHE/$wanted"
  rm -rf "$place"
}

# Where a package is unpacked.
unpacked() {
  local wanted
  for wanted in "${VERSIONS[@]}"; do
    [ "${wanted%%=*}" != "$1" ] || echo "$CACHE/$wanted"
  done
}

# The files of these kernel modules and of all that they need, in the order of loading.
module_files() {
  local module
  for module in "$@"; do
    modprobe -d "$KERNEL_DIR" -S "$KERNEL" --show-depends "$module"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}
