#!/bin/bash
# Boots the image that build-image.sh made, under plain emulation, and looks at what an owner would see:
#
#   guest/check-image.sh OUTDIR
#
# Three boots, one for each source of metadata: OpenStack's dialect, EC2's dialect and a config drive.
# Each must end with the right name on the console, the user data run, a login by SSH with the injected
# key, and a clean power-off. No root rights are needed: QEMU's own user network plays DHCP server, and
# busybox plays the metadata service, a new process for every connection.
set -euo pipefail
[ $# -eq 1 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
OUT=$(cd "$1" && pwd)
BUSYBOX=$(echo "$OUT"/cache/busybox-static=*/bin/busybox | tr ' ' '\n' | tail -n1)
WORK=$(mktemp -d)
QEMU=
trap '[ -z "$QEMU" ] || kill -KILL "$QEMU" 2>/dev/null; rm -rf "$WORK"' EXIT
LIMIT=${LIMIT:-180} # seconds for a boot; far more than it takes, for busy machines

ssh-keygen -q -t ed25519 -N '' -f "$WORK/key"
KEY=$(cat "$WORK/key.pub")

fail() {
  echo "guest check: $CASE: $1; the console said:" >&2
  tail -n 30 "$WORK/console" >&2
  exit 1
}

user_data() { printf '#!/bin/sh\necho "user data ran in $(hostname)"\n'; }

openstack_tree() { # DIRECTORY NAME
  mkdir -p "$1/openstack/latest"
  user_data >"$1/openstack/latest/user_data"
  printf '{"uuid": "4f3c2a5e-90d1-4e0e-8f5a-%012d", "hostname": "%s.novalocal", "admin_pass": "s\\"x", "public_keys": {"key1": "%s\\n"}, "meta": {"a": "b"}}\n' \
    "$RANDOM" "$2" "$KEY" >"$1/openstack/latest/meta_data.json"
}

ec2_tree() { # DIRECTORY NAME
  local data=$1/2009-04-04/meta-data
  mkdir -p "$data/public-keys/0"
  echo i-00000007 >"$data/instance-id"
  echo "$2.novalocal" >"$data/hostname"
  echo 0=key1 >"$data/public-keys/index.html"
  echo "$KEY" >"$data/public-keys/0/openssh-key"
  user_data >"$1/2009-04-04/user-data"
}

# Waits until a line of the console matches, as long as the guest lives.
await_console() { # PATTERN
  grep -q -m1 "$1" < <(timeout "$LIMIT" tail -n +1 -F --pid="$QEMU" "$WORK/console" 2>/dev/null) ||
    fail "no line '$1' after $LIMIT s"
}

start_guest() { # extra QEMU arguments
  rm -f "$WORK/console" "$WORK/disk" && : >"$WORK/console"
  qemu-img create -q -f qcow2 -b "$OUT/skybus-tiny.qcow2" -F qcow2 "$WORK/disk"
  PORT=$((20000 + RANDOM % 10000))
  # The whole user network is link-local, so that the metadata address lies inside it.
  qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 96 -machine pc -nodefaults -no-user-config -display none \
    -drive "file=$WORK/disk,if=virtio" -device virtio-rng-pci -serial "file:$WORK/console" \
    -qmp "unix:$WORK/qmp,server=on,wait=off" -device virtio-net-pci,netdev=n0,romfile= \
    -netdev "user,id=n0,net=169.254.0.0/16,dhcpstart=169.254.0.15,restrict=off,hostfwd=tcp:127.0.0.1:$PORT-:22,guestfwd=tcp:169.254.169.254:80-cmd:$BUSYBOX httpd -i -h $WORK/served" \
    "$@" &
  QEMU=$!
  disown "$QEMU" # so that bash does not announce its end
}

in_guest() {
  ssh -q -i "$WORK/key" -p "$PORT" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes \
    -o ConnectTimeout=30 "$1@127.0.0.1" "$2"
}

check_guest() { # NAME SOURCE
  await_console "skybus-tiny: up"
  for line in "metadata from $2" "user data ran in $1" "skybus-tiny: up .* host=$1 ip=169.254.0.15/16"; do
    grep -q "$line" "$WORK/console" || fail "no line '$line'"
  done
  [ "$(in_guest root hostname)" = "$1" ] || fail "no login as root with the injected key"
  [ "$(in_guest tiny 'id -un')" = tiny ] || fail "no login as tiny with the injected key"
  printf '{"execute":"qmp_capabilities"}{"execute":"system_powerdown"}' | "$BUSYBOX" nc "local:$WORK/qmp" >/dev/null 2>&1 ||
    in_guest root poweroff || true
  timeout "$LIMIT" tail -f --pid="$QEMU" /dev/null || fail "it did not power off"
  grep -q "skybus-tiny: going down" "$WORK/console" || fail "it went without shutting down"
  QEMU=
  echo "guest check: $CASE: ok, $(sed -n 's/.*skybus-tiny: up \([0-9.]*s\).*/\1/p' "$WORK/console")"
}

CASE=openstack
mkdir "$WORK/served" && openstack_tree "$WORK/served" one
start_guest && check_guest one openstack

CASE=ec2
rm -r "$WORK/served" && mkdir "$WORK/served" && ec2_tree "$WORK/served" two
start_guest && check_guest two ec2

CASE="config drive"
rm -r "$WORK/served" && mkdir "$WORK/served" && openstack_tree "$WORK/drive" three
genisoimage -quiet -R -J -V config-2 -o "$WORK/config.iso" "$WORK/drive"
start_guest -drive "file=$WORK/config.iso,if=virtio,format=raw,readonly=on" && check_guest three config-drive
