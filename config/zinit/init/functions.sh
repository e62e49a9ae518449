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
