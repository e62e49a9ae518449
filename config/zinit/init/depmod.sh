#!/bin/sh
# Makes the indexes that modprobe and udev read, if they are missing: a modules flist brings its own, and lies read-only.
. /etc/zinit/init/functions.sh

directory=/lib/modules/$(uname -r)
if [ -e "$directory/modules.dep.bin" ]; then
  say "reached depmod indexes=present"
elif ! (: >"$directory/.writable") 2>/dev/null; then
  say "warning depmod: $directory has no indexes and cannot be written: modules there will not be found"
  say "reached depmod indexes=missing"
else
  rm -f "$directory/.writable"
  if /sbin/depmod -a; then
    say "reached depmod indexes=made"
  else
    say "warning depmod: the indexes of $directory could not be made"
    say "reached depmod indexes=missing"
  fi
fi
