# For the other scripts here; not run by itself.

# A line on the console, whatever the unit does with its output.
say() {
  echo "zos: $*" >/dev/console
}

# Prints the value of a kernel parameter, or $2 for one without a value; fails when it is not there.
parameter() {
  for word in $(cat /proc/cmdline); do
    case $word in
      "$1") echo "$2"; return 0 ;;
      "$1="*) echo "${word#*=}"; return 0 ;;
    esac
  done
  return 1
}

# A daemon whose work may end well or not says with `settle UNIT` that it has ended, and `settled UNIT` is its test. The pid of
# the daemon tells the mark from one that an earlier run left.
settle() {
  mkdir -p /run/zos/settled
  echo "$unit_pid" >/run/zos/settled/"$1"
}

settled() {
  read -r pid 2>/dev/null </run/zos/settled/"$1" && kill -0 "$pid" 2>/dev/null
}
