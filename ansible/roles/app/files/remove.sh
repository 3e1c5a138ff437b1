#!/bin/sh
# Takes an app off this host: remove.sh APP. Prints each thing that went, and each store that stays, with the command that removes it.
set -eu
export LC_ALL=C.UTF-8 LANGUAGE=
app=$1
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
[ ! -d "/var/lib/redis/$app" ] || echo "its Redis' file stays: rm -r /var/lib/redis/$app"
database=halo_$(echo "$app" | tr - _)
if [ -d /etc/postgresql ] && [ -n "$(cd / && runuser -u postgres -- psql --no-psqlrc --tuples-only --no-align --command="SELECT 1 FROM pg_database WHERE datname = '$database'")" ]; then
  echo "its database stays: sudo -u postgres dropdb $database"
fi
