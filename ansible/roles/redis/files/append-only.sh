#!/bin/sh
# Has a running Redis write its data into an append-only file, and waits until it is complete.
set -eu
export LC_ALL=C.UTF-8 LANGUAGE=
systemctl start redis-server
until redis-cli ping | grep -q PONG; do sleep 0.2; done
redis-cli config set appendonly yes
for _ in $(seq 600); do
  state=$(redis-cli info persistence | tr -d '\r')
  case $state in *aof_rewrite_in_progress:0*aof_last_bgrewrite_status:ok*) [ -s /var/lib/redis/appendonlydir/appendonly.aof.manifest ] && exit 0 ;; esac
  sleep 0.5
done
echo "Redis did not finish its append-only file in 5 minutes: $state. Fix: see journalctl -u redis-server, then run the playbook again" >&2
exit 1
