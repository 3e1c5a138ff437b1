#!/bin/sh
# Runs a command as another user that can get no more rights, in the namespaces of `unshare --mount --pid`:
# confine.sh UID GID BYTES FOLDER... -- COMMAND. It may write files of at most BYTES, and the folders are empty to it.
# Not by exec: this shell is the namespace's first process, and its end is the end of all that the command has started.
set -e
uid=$1 gid=$2 bytes=$3
shift 3
while [ "$1" != -- ]; do
  mount -t tmpfs -o size=4k,mode=0555 halo-hidden "$1"
  shift
done
shift
# A /tmp of its own: another user's sockets and files are in the real one.
mount -t tmpfs -o size=256m,mode=1777,nosuid,nodev halo-tmp /tmp
prlimit --fsize="$bytes" --core=0 --nproc=4096 \
  setpriv --reuid="$uid" --regid="$gid" --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all -- "$@"
