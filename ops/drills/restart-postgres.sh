#!/bin/bash
# Ends PostgreSQL by a command of systemctl (begin, with the command's words), or waits until another process answers
# (await). The empty line marks the time.
unit=$(systemctl list-units --plain --no-legend 'postgresql@*' | cut -d ' ' -f 1)
before=/run/halo-drill-pid
action=$1
shift
case $action in
  begin)
    systemctl show -P MainPID "$unit" >$before
    echo
    systemctl "$@" "$unit"
    ;;
  await)
    until systemctl show -P MainPID "$unit" | grep -vqxf $before && pg_isready -q; do sleep .05; done
    rm $before
    echo
    ;;
esac
