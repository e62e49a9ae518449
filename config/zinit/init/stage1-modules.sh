#!/bin/sh
# Loads the modules of /etc/modules.stage1 in their order. What is loaded or built in already is fine; what cannot be
# loaded is a warning, for the node may live without. Called by /init, and again as a unit.

list=/etc/modules.stage1
if ! [ -r $list ]; then
  echo "zos: warning stage1: there is no $list"
  exit 0
fi
# shellcheck disable=SC2046
/sbin/modprobe -a $(sed 's/#.*//' $list) 2>&1 | while read -r line; do
  echo "zos: warning stage1: ${line#modprobe: }"
done
