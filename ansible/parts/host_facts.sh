#!/bin/sh
# Prints what Ansible wants to know of a host, a key=value line each. The roles' files/facts.sh follow, and use these functions.
export LC_ALL=C.UTF-8 LANGUAGE=

# there PATH ...: a line for each that exists.
there() {
  for path in "$@"; do
    [ ! -e "$path" ] || echo "$path=there"
  done
}

# unread UNIT PATH ...: a service that has not read what was written for it: the run that wrote it was cut short. Any rename is a new ctime.
unread() {
  since=$(systemctl show --property=StateChangeTimestamp --value --timestamp=us+utc "$1" 2>/dev/null)
  [ -n "$since" ] && shift && [ -n "$(find "$@" -newerct "$since" 2>/dev/null)" ]
}

echo "machine=$(uname -m)"
echo "container=$(systemd-detect-virt --container)"
echo "addresses=$(hostname -I)"
# shellcheck source=/dev/null
(. /etc/os-release && echo "os=$ID $VERSION_ID")
