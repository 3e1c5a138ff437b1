#!/bin/bash
# Prints the process id of each worker of an app, the argument, and the nanoseconds of CPU that it has used. A worker may end while it is read.
for worker in $(pgrep -u "halo-$1" -f "/opt/halo/apps/$1/current/"); do
  cat /proc/"$worker"/task/*/schedstat 2>/dev/null | awk -v pid="$worker" '{ sum += $1 } END { if (NR) printf "%d %.0f\n", pid, sum }'
done
