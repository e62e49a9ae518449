#!/bin/sh
# The node says what it has become.
. /etc/zinit/init/functions.sh

/usr/bin/node /usr/lib/zosbuilder/node.mjs report || say "warning ready: there is no report"
say "reached ready build-id=$(sed -n 's/^BUILD_ID=//p' /etc/zero-os-build-id)"
if parameter zos.poweroff >/dev/null; then
  sync
  poweroff -f
fi
exit 0
