#!/bin/sh
# Asks for an address by DHCP on every physical link with carrier. The first lease wins: its link is configured, the clients
# of the others end. A link may come late, so links are looked for until there is a lease; after zos.network.wait seconds
# (30 by default) the node goes on without, and it is said when a lease comes after all.
. /etc/zinit/init/functions.sh

state=/run/zos/network
export unit_pid=$$
rm -rf $state
mkdir -p $state/clients

start_client() {
  udhcpc -f -i "$1" -s /etc/zinit/init/dhcp.sh -t 4 -T 1 -A 5 -O search -O staticroutes -O mtu &
  echo $! >"$state/clients/$1"
}

# Looks at every link with the shell alone: this runs often.
try_links() {
  for link in /sys/class/net/*; do
    name=${link##*/}
    [ -e "$link/device" ] || continue
    read -r flags <"$link/flags" || continue
    [ $((flags & 1)) -eq 1 ] || ip link set "$name" up
    read -r carrier 2>/dev/null <"$link/carrier" && [ "$carrier" = 1 ] || continue
    [ -e "$state/clients/$name" ] || start_client "$name"
  done
}

give_up_after() {
  sleep "$1"
  if ! [ -e $state/winner ]; then
    say "warning network: no link got an address within $1 s; going on without"
    say "reached network state=none"
    settle network
  fi
}

ip link set lo up
give_up_after "$(parameter zos.network.wait || echo 30)" &
until [ -e $state/winner ]; do
  try_links
  sleep 0.2
done

read -r winner <$state/winner
for client in $state/clients/*; do
  [ "${client##*/}" = "$winner" ] || kill "$(cat "$client")"
done
wait "$(cat "$state/clients/$winner")" # it renews the lease
