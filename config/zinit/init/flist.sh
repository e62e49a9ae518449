#!/bin/sh
# Mounts a flist and serves it. When it cannot be mounted the node has said so and goes on, and there is nothing to start
# again: this only stays, for the unit is a daemon.
/usr/bin/node /usr/lib/zosbuilder/node.mjs flist "$1" || exit
exec sleep 2147483647
