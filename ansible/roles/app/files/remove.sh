#!/bin/sh
# Takes an app off this host. Prints each thing that went, and each store that stays.
#   remove.sh APP keep|purge        purge: the stores as well, and the folders that the app wrote
#   remove.sh APP jobs [NAME ...]   only its cron jobs, and of these all but the named ones
set -eu
export LC_ALL=C.UTF-8 LANGUAGE=
app=$1 stores=${2:-}
case $app in '' | [!a-z]* | *[!a-z0-9-]*)
  echo "remove: no app is named. Fix: see the head of this script" >&2
  exit 1
  ;;
esac
shift

# jobs [NAME ...]
jobs() {
  for timer in "/etc/systemd/system/halo-cron@$app."*.timer; do
    [ -e "$timer" ] || continue
    job=$(basename "$timer" .timer)
    case " $* " in *" ${job#*.} "*) continue ;; esac
    systemctl disable --now --quiet "$job.timer"
    systemctl stop "$job.service"
    rm "$timer" "/etc/systemd/system/$job.service"
    systemctl daemon-reload
    # Else the alert of a job that has failed would stay.
    systemctl reset-failed "$job.service" 2>/dev/null || true
    echo "$job is removed"
  done
  set -- /etc/systemd/system/halo-cron@*.timer
  [ -e "$1" ] || rm -f /etc/halo/redis-cron.json
}

if [ "${1:-}" = jobs ]; then
  "$@"
  exit
fi
case $stores in keep | purge) ;; *)
  echo "remove: it is not said whether the stores stay. Fix: see the head of this script" >&2
  exit 1
  ;;
esac
jobs
unit=halo@$app
for each in "$unit" "halo-candidate@$app" "redis-server@$app"; do
  # Not only an active one: one that has failed, or waits for its next start, would be started again.
  if systemctl cat "$each" >/dev/null 2>&1 && { [ "$(systemctl is-active "$each" || true)" != inactive ] || systemctl is-enabled --quiet "$each" 2>/dev/null; }; then
    systemctl disable --now --quiet "$each"
    systemctl reset-failed "$each" 2>/dev/null || true
    echo "$each is stopped"
  fi
done
for path in "/etc/systemd/system/$unit.service" "/etc/systemd/system/$unit.service.d" "/etc/systemd/system/redis-server@$app.service.d" \
  "/etc/halo/$app.env" "/etc/redis/redis-$app.conf" "/opt/halo/apps/$app" "/var/lib/halo/$app/pm2" "/var/lib/halo/$app/compile-cache" \
  "/var/www/halo/$app" "/var/lib/prometheus/node-exporter/halo-backup-$app.prom"; do
  [ -e "$path" ] || continue
  rm -rf "${path:?}"
  echo "$path is removed"
done
systemctl daemon-reload
if id "halo-$app" >/dev/null 2>&1; then
  userdel "halo-$app"
  echo "the user halo-$app is removed"
fi
if [ -d "/var/lib/halo/$app/writable" ] && [ "$stores" = keep ]; then
  # Its user's number may become another app's.
  chown -R root:root "/var/lib/halo/$app"
  chmod 0700 "/var/lib/halo/$app"
  echo "/var/lib/halo/$app/writable, the folders that it wrote, stays"
elif [ -d "/var/lib/halo/$app" ]; then
  rm -rf "/var/lib/halo/$app"
  echo "/var/lib/halo/$app is removed"
fi
database=halo_$(echo "$app" | tr - _)
sql() { (cd / && exec runuser -u postgres -- psql --no-psqlrc --quiet --tuples-only --no-align -v ON_ERROR_STOP=1 --command="$1"); }
if [ "$stores" = purge ]; then
  for path in "/var/lib/redis/$app" "/var/backups/halo/$app"; do
    [ -e "$path" ] || continue
    rm -rf "${path:?}"
    echo "$path is removed"
  done
fi
if [ -d /etc/postgresql ] && [ -n "$(sql "SELECT 1 FROM pg_roles WHERE rolname = '$database'")" ]; then
  if [ "$stores" = purge ]; then
    sql "DROP DATABASE IF EXISTS $database WITH (FORCE)"
    sql "DROP ROLE $database"
    echo "the database $database is removed"
  else
    echo "the database $database stays"
  fi
fi
[ ! -d "/var/lib/redis/$app" ] || echo "/var/lib/redis/$app, its Redis' file, stays"
