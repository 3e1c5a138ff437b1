#!/bin/bash
# Prints nginx's log lines of the drill's requests since a mark. Arguments: the log, and its inode and size at the mark.
log=$1
inode=$2
size=$3
copy=/run/halo-drill.log

sleep 1.2 # nginx writes its log once a second
set -- "$log"
[ "$(stat -c %i "$log")" = "$inode" ] || set -- "$log.1" "$log"
tail -qc +$((size + 1)) "$1" | tr -d '\0' >$copy # a power cut leaves NULs
[ $# = 1 ] || cat "$2" >>$copy
grep -aE '^\{.*"agent":"halo-drill"\}$' $copy || true
rm $copy
