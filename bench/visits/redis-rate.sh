#!/bin/bash
# Prints redis-benchmark's line about INCR. Argument: the number of connections.
password=$(sed -n 's/^REDISCLI_AUTH=\W*\(\w*\).*/\1/p' /usr/local/sbin/halo-redis-cli)
redis-benchmark --user admin -a "$password" -c "$1" -n 200000 --csv INCR halo:bench | tail -n 1
halo-redis-cli DEL halo:bench >/dev/null
