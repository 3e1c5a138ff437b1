#!/bin/sh
# The programs of a diagnosed host, each by its name: the unit of the app film has no answer, the log of shop has two kills, PostgreSQL
# refuses shop's role, and one of its statements waits for a lock.
killed="A process of this unit has been killed by the OOM killer."
refused='1800000000.5 host postgres[7]: halo_shop@halo_shop FATAL:  password authentication failed for user "halo_shop"'
waiting='"pid": 1, "app": "", "role": "halo_shop", "state": "active", "wait": "Lock", "event": "relation", "query": "UPDATE a", "by": [2]'
holding='"pid": 2, "app": "psql", "role": "postgres", "state": "idle", "wait": "Client", "event": "ClientRead", "query": "LOCK a", "by": []'
case "$(basename "$0") $*" in
  "systemctl show"*film*) ;;
  "systemctl show"*) printf '%s\n' ActiveState=active SubState=running MainPID=0 StateChangeTimestamp=@1800000000 ;;
  "systemctl list-units"*) echo postgresql@17-main.service ;;
  "journalctl -u halo@shop "*"-g killed by the OOM killer") printf '%s\n' "$killed" "$killed" ;;
  "journalctl -u postgresql@"*"^halo_shop@halo_shop FATAL: ") echo "$refused" ;;
  "halo-redis-cli -p 4009 info"*) printf '%s\r\n' loading:0 role:master used_memory:10 maxmemory:20 maxmemory_policy:allkeys-lru ;;
  "halo-redis-cli info"*) printf '%s\r\n' loading:0 role:master used_memory:10 maxmemory:20 maxmemory_policy:noeviction ;;
  "halo-redis-cli config"*) printf 'dir\n/srv/redis\n' ;;
  "runuser"*)
    echo 49
    for seconds in 0.3 0.2; do
      printf 'Sun Nov 29 12:00:00 2026 (every 0.1s)\n[{"seconds": %s, %s}, {"seconds": 9, %s}]\n' "$seconds" "$waiting" "$holding"
    done
    ;;
esac
