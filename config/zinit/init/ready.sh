#!/bin/sh
# The node says what it has become.
. /etc/zinit/init/functions.sh

/usr/bin/node /usr/lib/zosbuilder/node.mjs report || say "warning ready: there is no report"
BUILD_ID=unknown
if [ -r /etc/zero-os-build-id ]; then . /etc/zero-os-build-id; fi
say "reached ready build-id=$BUILD_ID"
if parameter zos.poweroff >/dev/null; then
  sync
  poweroff -f
fi
exit 0
