#!/bin/bash
# Appends 12 NUL bytes to Redis' append-only file and starts Redis, which cannot read it (start), or cuts them off (undo).
folder=/var/lib/redis/appendonlydir
before=/run/halo-fault-aof
case $1 in
  start)
    systemctl stop redis-server
    cd $folder || exit
    file=$(sed -n 's/^file \(.*\) seq [0-9]* type i.*/\1/p' appendonly.aof.manifest | tail -n 1)
    size=$(stat -c %s "$file")
    echo "$size $file" >$before
    head -c 12 /dev/zero >>"$file"
    systemctl start --no-block redis-server
    ;;
  undo)
    if [ -e $before ]; then
      systemctl stop redis-server
      read -r size file <$before
      truncate -s "$size" "$folder/$file"
      rm $before
    fi
    systemctl start redis-server
    ;;
esac
