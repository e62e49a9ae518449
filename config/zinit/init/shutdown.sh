#!/bin/sh
# Before the machine stops: the supervisor ends its units in their order, and has 30 seconds for it.
read -r supervisor </run/zos/supervisor.pid || exit 0
kill -TERM "$supervisor" || exit 0
tries=300
while kill -0 "$supervisor" 2>/dev/null && [ $tries -gt 0 ]; do
  tries=$((tries - 1))
  sleep 0.1
done
