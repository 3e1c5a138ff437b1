#!/bin/sh
# lock_owner.sh                     prints this ansible-playbook's PID and IDENTITY, the same in every language and time zone
# lock_owner.sh lives PID IDENTITY  checks that it still lives
# IDENTITY is the boot and the kernel's start time (field 22 of /proc/PID/stat); on a Mac, which has no /proc, ps' date in UTC.
set -eu
export LC_ALL=C.UTF-8 LANGUAGE='' TZ=UTC
identity() {
  if [ -e /proc/self/stat ]; then
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # shellcheck disable=SC2086 # fields, from the third on: the second one, the name, may have spaces in it
    set -- ${stat##*) }
    [ "$1" != Z ] || return 1 # it has ended, and nobody has asked how
    echo "$(cat /proc/sys/kernel/random/boot_id) ${20}"
  else
    ps -o lstart= -p "$1" | xargs
  fi
}
if [ "${1:-}" = lives ]; then
  pid=${2:-0}
  shift 2
  [ "$(identity "$pid")" = "$*" ]
  exit
fi
# Each task has a process of its own, a copy of the playbook's with the same command line; a command with it as a part
# (env, nsenter, sh -c) is another process.
at=$$ line=
while [ "${at:-0}" -gt 1 ]; do
  seen=$(ps -ww -o args= -p "$at")
  case $seen in *lock_owner.sh*) ;; *ansible-playbook*) line=${line:-$seen} ;; esac
  [ -z "$line" ] || { [ "$seen" = "$line" ] && playbook=$at; } || break
  at=$(ps -o ppid= -p "$at" | xargs)
done
echo "$playbook $(identity "$playbook")"
