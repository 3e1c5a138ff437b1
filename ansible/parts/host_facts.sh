#!/bin/sh
# Prints the facts of a host that Ansible needs, a key=value line each. The roles' files/facts.sh follow, and use these functions.
export LC_ALL=C.UTF-8 LANGUAGE=

# present PATH ...: a line for each path that exists.
present() {
  for path in "$@"; do
    [ ! -e "$path" ] || echo "$path=present"
  done
}

# unread UNIT PATH ...: whether the service has not read one of its files, because the run that wrote it was cut short. Any rename is a new ctime.
unread() {
  since=$(systemctl show --property=StateChangeTimestamp --value --timestamp=us+utc "$1" 2>/dev/null)
  [ -n "$since" ] && shift && [ -n "$(find "$@" -newerct "$since" 2>/dev/null)" ]
}

echo "machine=$(uname -m)"
echo "container=$(systemd-detect-virt --container)"
echo "emulated=$([ "$(systemd-detect-virt --vm)" != qemu ] || echo yes)"
echo "addresses=$(hostname -I)"
# shellcheck source=/dev/null
(. /etc/os-release && echo "os=$ID $VERSION_ID")
