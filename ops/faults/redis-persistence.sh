#!/bin/bash
# Takes from Redis the right to write into its folder, so that a rewrite fails (start), or gives it back (undo).
folder=/var/lib/redis
mode=/run/halo-fault-mode

rewrite() {
  halo-redis-cli bgrewriteaof
  timeout 20 sh -c "until halo-redis-cli info persistence | grep -q aof_last_bgrewrite_status:$1; do sleep .1; done"
}

case $1 in
  start)
    stat -c %a $folder >$mode
    chmod 0550 $folder
    rewrite err
    ;;
  undo)
    if [ -e $mode ]; then
      chmod "$(cat $mode)" $folder
      rm $mode
      rewrite ok
    fi
    ;;
esac
