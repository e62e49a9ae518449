#!/bin/sh
# Has udev see every device as if it were new, and waits until that is done: `early` with what the image has, `coldplug` with
# what the flists brought.
. /etc/zinit/init/functions.sh

case $1 in
  early) say "reached udevd" ;;
  coldplug) udevadm control --reload || say "warning coldplug: udevd did not reload" ;;
esac
udevadm trigger --type=subsystems --action=add || say "warning $1: not every subsystem could be triggered"
udevadm trigger --type=devices --action=add || say "warning $1: not every device could be triggered"
udevadm settle --timeout=120 || say "warning $1: udev is still at work after 120 s"
if [ "$1" = coldplug ]; then say "reached coldplug modules=$(grep -c . /proc/modules)"; fi
exit 0
