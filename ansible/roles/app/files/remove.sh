#!/bin/sh
# Takes an app off this host: remove.sh APP keep|purge. Prints each thing that went, and each store that stays.
set -eu
export LC_ALL=C.UTF-8 LANGUAGE=
app=$1 stores=$2
case $app in '' | [!a-z]* | *[!a-z0-9-]*)
  echo "remove: no app is named. Fix: see the head of this script" >&2
  exit 1
  ;;
esac
unit=halo@$app
for each in "$unit" "halo-candidate@$app" "redis-server@$app"; do
  if systemctl cat "$each" >/dev/null 2>&1 && [ "$(systemctl is-active "$each" || true)" = active ]; then
    systemctl disable --now --quiet "$each"
    echo "$each is stopped"
  fi
done
for path in "/etc/systemd/system/$unit.service" "/etc/systemd/system/$unit.service.d" "/etc/systemd/system/redis-server@$app.service.d" \
  "/etc/halo/$app.env" "/etc/redis/redis-$app.conf" "/opt/halo/apps/$app" "/var/lib/halo/$app" "/var/www/halo/$app"; do
  [ -e "$path" ] || continue
  rm -rf "${path:?}"
  echo "$path is removed"
done
systemctl daemon-reload
if id "halo-$app" >/dev/null 2>&1; then
  userdel "halo-$app"
  echo "the user halo-$app is removed"
fi
database=halo_$(echo "$app" | tr - _)
sql() { (cd / && exec runuser -u postgres -- psql --no-psqlrc --quiet --tuples-only --no-align -v ON_ERROR_STOP=1 --command="$1"); }
if [ "$stores" = purge ]; then
  for path in "/var/lib/redis/$app" "/var/backups/halo/$app" "/var/lib/prometheus/node-exporter/halo-backup-$app.prom"; do
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
