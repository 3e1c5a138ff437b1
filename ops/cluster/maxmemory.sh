#!/bin/bash
# Redis' maxmemory on its host: keep the value, reach it, or restore the kept value (which harms nothing where none is kept).
kept=/run/halo-drill-maxmemory
case $1 in
  keep) halo-redis-cli config get maxmemory | tail -n 1 >$kept ;;
  reach) halo-redis-cli config set maxmemory 1mb ;;
  restore)
    if [ -e $kept ]; then
      halo-redis-cli config set maxmemory "$(cat $kept)"
      rm $kept
    fi
    ;;
esac
