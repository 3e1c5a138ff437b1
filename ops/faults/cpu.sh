#!/bin/bash
# Leaves an app a twentieth of a CPU, or one CPU that it shares with 24 loops where the kernel has no quotas (start APP, with the
# seconds after which the loops end), or gives it all CPUs again (undo APP).
unit=halo-fault
name=$2
app=halo@$name.service
user=halo-$name
workers() { pgrep -u "$user" -f "/opt/halo/apps/$name/current/" "$@"; }
case $1 in
  start)
    if grep -qw cpu /sys/fs/cgroup/cgroup.controllers; then
      systemctl set-property --runtime "$app" CPUQuota=5%
    else
      runuser -u "$user" -- taskset -acp 0 "$(workers -o)" >/dev/null
      # shellcheck disable=SC2016 # the inner shell counts
      systemd-run --quiet --collect --expand-environment=no --unit=$unit --property=RuntimeMaxSec="$3" --property=CPUAffinity=0 \
        bash -c 'for i in {1..24}; do setsid bash -c "while :; do :; done" & done; wait'
    fi
    ;;
  undo)
    systemctl set-property --runtime "$app" CPUQuota=
    rm -f "/run/systemd/system.control/$app.d/50-CPUQuota.conf"
    systemctl daemon-reload
    systemctl stop $unit.service 2>/dev/null || true
    for worker in $(workers); do
      runuser -u "$user" -- taskset -acp 0-$(($(nproc --all) - 1)) "$worker" >/dev/null || true
    done
    ;;
esac
