#!/bin/sh
# The deploy lock and the log of deploys, on the balancer.
#   take NEW [OLD]   puts NEW there if nobody has the lock, or OLD still has it; otherwise prints who has it and fails
#   log LINE         writes a line (a JSON object) with the time into the log
#   give OWN LINE    the same, and gives the lock back if it is OWN
set -eu
here=/var/lib/halo
install -d $here
exec 9>$here/.lock
flock 9
log() { printf '{"time": "%s", %s\n' "$(date --utc +%FT%TZ)" "${1#?}" >>$here/deploys.log; }
there=$(cat $here/deploy.lock 2>/dev/null || true)
case $1 in
  take)
    if [ "$there" != "${3:-}" ]; then
      printf '%s\n' "$there"
      exit 1
    fi
    printf '%s\n' "$2" >$here/deploy.lock.new
    mv $here/deploy.lock.new $here/deploy.lock
    ;;
  log) log "$2" ;;
  give)
    log "$3"
    [ "$there" != "$2" ] || rm $here/deploy.lock
    ;;
esac
