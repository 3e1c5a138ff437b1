#!/bin/sh
# Leaves a balancer as a run of site.yml does that dies before its handlers: other settings in service than in the files.
cd /etc || exit
for file in nginx/nginx.conf redis/redis.conf; do cp -p $file $file.kept; done
sed -i 's/max_fails=/down &/' nginx/nginx.conf && systemctl reload nginx
sed -i 's/^maxmemory .*/maxmemory 99mb/' redis/redis.conf && systemctl restart redis-server
since=$(systemctl show -P StateChangeTimestamp --timestamp=us+utc redis-server)
for file in nginx/nginx.conf redis/redis.conf; do mv $file.kept $file; done
# A file's time may lag behind the clock by some milliseconds.
# shellcheck disable=SC2016 # the inner shell's
timeout 5 sh -c 'until find "$0" -newerct "$1" | grep -q .; do touch "$0"; done' redis/redis.conf "$since"
touch systemd/system/postgresql@*-main.service.d/halo.conf
