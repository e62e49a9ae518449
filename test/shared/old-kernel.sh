#!/usr/bin/busybox sh
# The first process of a guest: mounts the flist in /guest with the sources of this repository, reads it by several readers while its servers
# are killed, and says what came of it, in lines that begin with "guest: ".
/usr/bin/busybox mkdir -p /guest/bin
/usr/bin/busybox --install -s /guest/bin
export PATH=/guest/bin:/usr/bin:/usr/sbin HOME=/root
mkdir -p /proc /sys /dev /mnt /tmp
mount -t proc proc /proc
mount -t devtmpfs dev /dev # and no sysfs
modprobe fuse
say() { echo "guest: $*"; }
say "kernel $(uname -r)"
rfs() { node /guest/src/cli/rfs.ts "$@"; }
server() {
  keeper=$(grep ' /mnt ' /proc/mounts | cut -d ' ' -f 1)
  child=$(cut -d ' ' -f 1 "/proc/$keeper/task/$keeper/children")
  echo "${child:-$(sed -n 's/^PPid:\t//p' "/proc/$keeper/status")}"
}

rfs mount -d -l /log -m /guest/t.fl -c /cache -s 'fault+dir:///guest/blocks?fault=get:delay=20ms' /mnt || say "cannot mount"
cd /mnt || exit
for reader in 1 2 3; do
  (
    for round in 1 2; do
      sha256sum -c /guest/sums >"/tmp/$reader" 2>&1 || say "reader $reader: $(grep -v ': OK' "/tmp/$reader")"
      echo 3 >/proc/sys/vm/drop_caches
    done
  ) &
  readers="$readers $!"
done
for kill in 1 2; do
  usleep 500000
  old=$(server)
  kill -9 "$old"
  stat -f /mnt >/dev/null || say "the mount does not answer"
  say "$([ "$(server)" = "$old" ] && echo 'the same server' || echo 'another server')"
done
for reader in $readers; do wait "$reader"; done
say "readers ended"
rm -r /cache
echo 3 >/proc/sys/vm/drop_caches
sha256sum -c /guest/sums >/tmp/last 2>&1 && say "all right"
cd / && umount /mnt && say "unmounted"
say "end"
poweroff -f
