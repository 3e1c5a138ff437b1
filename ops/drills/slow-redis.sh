#!/bin/bash
# Halves the CPU of Redis (start), or gives it back and restarts Redis where it was halved (undo).
override=/run/systemd/system/redis-server.service.d/halo-drill.conf
case $1 in
  start)
    cpu=$(taskset --cpu-list --pid $BASHPID | grep -o '[0-9]*' | sed -n '$p')
    mkdir -p "$(dirname $override)"
    printf '[Service]\nCPUAffinity=%s\n' "$cpu" >$override
    systemctl daemon-reload
    systemd-run --quiet --collect --unit=halo-drill-half --property=CPUAffinity="$cpu" --property=Nice=4 sh -c 'while :; do :; done'
    ;;
  undo)
    systemctl stop halo-drill-half 2>/dev/null || true
    if [ -e $override ]; then
      rm $override
      systemctl daemon-reload
      systemctl restart redis-server
    fi
    ;;
esac
