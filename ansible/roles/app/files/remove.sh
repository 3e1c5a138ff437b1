#!/bin/sh
# Takes an app off this host. Prints each thing that went, and each store that stays, with the command that removes it.
#   remove.sh APP
#   remove.sh APP jobs [NAME ...]   only its cron jobs, and of these all but the named ones
set -eu
export LC_ALL=C.UTF-8 LANGUAGE=
app=$1
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
jobs
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
