# shellcheck shell=sh
redis_has_memory() {
  halo-redis-cli info memory | tr -d '\r' | awk -F : '{ of[$1] = $2 } END { exit !("maxmemory" in of) || (of["maxmemory"] > 0 && of["used_memory"] >= of["maxmemory"]) }'
}
redis_has_functions() {
  for name in $(halo-redis-cli needed-functions); do
    contains "$name" halo-redis-cli function list || return
  done
}

if in_group redis; then
  check "redis runs" "npm run diagnose names the cause; see also journalctl -u redis-server" systemctl is-active redis-server
  check "redis is nobody's replica" "on the host: halo-redis-cli replicaof no one" contains role:master halo-redis-cli info replication
  check "redis has memory for more visits" "raise redis_max_memory; $AGAIN" redis_has_memory
  check "redis has the function that counts, of each release" "on the host: halo-redis-cli load-functions" redis_has_functions
  check "redis writes its append-only file" "on the host: halo-redis-cli config set appendonly yes" contains aof_enabled:1 halo-redis-cli info persistence
  check "redis' last write reached the file" "see journalctl -u redis-server, df -h" contains aof_last_write_status:ok halo-redis-cli info persistence
  check "redis flushes $APPENDFSYNC" "on the host: halo-redis-cli config set appendfsync $APPENDFSYNC" contains "$APPENDFSYNC" halo-redis-cli config get appendfsync
  check "redis evicts nothing" "on the host: halo-redis-cli config set maxmemory-policy noeviction" contains noeviction halo-redis-cli config get maxmemory-policy
  check "redis refuses a client without a password" "$AGAIN" contains "NOAUTH Authentication required." redis-cli -p "$REDIS_PORT" ping
fi
