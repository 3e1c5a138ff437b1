#!/bin/bash
# Leaves the service a twentieth of a CPU, or one CPU that it shares with 24 loops where the kernel has no quotas (start, with
# the seconds after which the loops end), or gives it all CPUs again (undo).
unit=halo-fault
case $1 in
  start)
    if grep -qw cpu /sys/fs/cgroup/cgroup.controllers; then
      systemctl set-property --runtime halo.service CPUQuota=5%
    else
      runuser -u halo -- taskset -acp 0 "$(pgrep -u halo -o -f app/src/main.ts)" >/dev/null
      # shellcheck disable=SC2016 # the inner shell counts
      systemd-run --quiet --collect --expand-environment=no --unit=$unit --property=RuntimeMaxSec="$2" --property=CPUAffinity=0 \
        bash -c 'for i in {1..24}; do setsid bash -c "while :; do :; done" & done; wait'
    fi
    ;;
  undo)
    systemctl set-property --runtime halo.service CPUQuota=
    rm -f /run/systemd/system.control/halo.service.d/50-CPUQuota.conf
    systemctl daemon-reload
    systemctl stop $unit.service 2>/dev/null || true
    for worker in $(pgrep -u halo -f app/src/main.ts); do
      runuser -u halo -- taskset -acp 0-$(($(nproc --all) - 1)) "$worker" >/dev/null || true
    done
    ;;
esac
