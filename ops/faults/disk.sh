#!/bin/bash
# Mounts a small file system that is 95 % full (start), or removes it (undo).
folder=/var/lib/halo-fault
case $1 in
  start)
    install -d $folder
    mount -t tmpfs -o size=16m,mode=0700 halo-fault $folder
    head -c 15564k /dev/zero >$folder/fill
    ;;
  undo)
    if mountpoint -q $folder; then umount $folder; fi
    rm -rf $folder
    ;;
esac
