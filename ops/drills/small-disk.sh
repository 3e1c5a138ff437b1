#!/bin/bash
# Puts a small file system over Redis' folder (mount), or takes it away (undo); Redis' data go along both ways.
folder=/var/lib/redis
aside=/var/lib/redis.drill
case $1 in
  mount)
    systemctl stop redis-server
    cp --archive $folder $aside
    mount -t tmpfs -o "size=$(($(du -sm $folder | cut -f 1) + 16))m,mode=0750,uid=redis,gid=redis" drill $folder
    cp --archive $aside/. $folder
    systemctl start redis-server
    until halo-redis-cli ping 2>/dev/null | grep -q PONG; do sleep .05; done
    ;;
  undo)
    if mountpoint -q $folder; then
      systemctl stop redis-server
      rm -rf $folder/fill $aside
      cp --archive $folder $aside
      umount $folder
      cp --archive $aside/. $folder
      systemctl start redis-server
    fi
    rm -rf $aside
    ;;
esac
