#!/bin/bash
# Prints each worker's process id and the nanoseconds of CPU that it has used. A worker may end while it is read.
for worker in $(pgrep -u halo -f app/src/main.ts); do
  cat /proc/"$worker"/task/*/schedstat 2>/dev/null | awk -v pid="$worker" '{ sum += $1 } END { if (NR) printf "%d %.0f\n", pid, sum }'
done
