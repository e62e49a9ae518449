#!/bin/sh
# udhcpc calls this at each event of a lease (busybox networking/udhcp, examples/udhcp); variables hold what the server said.
. /etc/zinit/init/functions.sh

state=/run/zos/network

# Whether this link is the one to configure: the first that asks is.
claim() {
  (set -C && echo "$interface" >$state/winner) 2>/dev/null || [ "$(cat $state/winner)" = "$interface" ]
}

configure() {
  ip -4 addr flush dev "$interface"
  if [ -n "$mtu" ]; then ip link set "$interface" mtu "$mtu"; fi
  ip addr add "$ip/${mask:-24}" broadcast + dev "$interface"
  # shellcheck disable=SC2086
  if [ -n "$staticroutes" ]; then add_routes $staticroutes; else add_routes ${router:+0.0.0.0/0 ${router%% *}}; fi
  write_resolver
  if [ -n "$hostname" ]; then hostname "$hostname"; fi
}

# Pairs of destination and gateway. With static routes the router counts for nothing (RFC 3442).
add_routes() {
  while [ $# -ge 2 ]; do
    if [ "$2" = 0.0.0.0 ]; then
      ip route add "$1" dev "$interface"
    elif ! ip route add "$1" via "$2" dev "$interface"; then
      ip route add "$2" dev "$interface" # a gateway outside of the subnet
      ip route add "$1" via "$2" dev "$interface"
    fi
    shift 2
  done
}

write_resolver() {
  {
    if [ -n "${search:-$domain}" ]; then echo "search ${search:-$domain}"; fi
    for server in $dns; do echo "nameserver $server"; done
  } >/etc/resolv.conf.new
  mv /etc/resolv.conf.new /etc/resolv.conf
}

announce() {
  if settled network; then
    say "note network: $interface has $ip/${mask:-24} now"
  else
    say "reached network interface=$interface address=$ip/${mask:-24}${router:+ router=${router%% *}}"
    settle network
  fi
}

case $1 in
  deconfig)
    if [ "$(cat $state/winner 2>/dev/null)" = "$interface" ]; then ip -4 addr flush dev "$interface"; fi
    ;;
  bound)
    if claim; then
      configure
      announce
    fi
    ;;
  renew)
    if claim && ! ip -4 addr show dev "$interface" | grep -qF " $ip/"; then
      configure
      announce
    fi
    ;;
esac
