#!/bin/bash
# Gives a backend nine times the weight of another (start, with its address and port), or the former configuration (undo).
config=/etc/nginx/nginx.conf
kept=/run/halo-fault-nginx.conf
case $1 in
  start)
    cp --archive $config $kept
    sed -i "s/server $2 max_fails=1/server $2 weight=9 max_fails=1/" $config
    nginx -t -q
    systemctl reload nginx
    ;;
  undo)
    if [ -e $kept ]; then
      cp --archive $kept $config
      rm $kept
      nginx -t -q
      systemctl reload nginx
    fi
    ;;
esac
