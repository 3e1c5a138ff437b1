#!/bin/sh
# Starts or reloads PostgreSQL with its present settings, and corrects database, roles and rights: serve.sh VERSION STATEMENT_TIMEOUT IDLE_TIMEOUT
# The standard input has a line for each role that logs in: its name, its connections, its password. Each but halo has a database of its own.
# Prints a line for each change.
set -eu
export LC_ALL=C.UTF-8 LANGUAGE=
cd /
version=$1
unit=postgresql@$version-main
data=/var/lib/postgresql/$version/main
roles=$(cat)

die() {
  echo "serve: $*" >&2
  exit 1
}
ask() { runuser -u postgres -- psql --no-psqlrc --quiet --tuples-only --no-align "$@"; }
start() {
  systemctl "$1" "$unit" || die "PostgreSQL does not start: $(journalctl --unit="$unit" --output=cat --lines=5). Fix: correct the cause that its log names, then run the playbook again"
}

systemctl daemon-reload
systemctl is-enabled --quiet "$unit" || systemctl enable --quiet "$unit"
if ! "/usr/lib/postgresql/$version/bin/pg_controldata" "$data" | grep -q '^Data page checksum version: *1$'; then
  # The package has made its cluster without. In one with data this reads all of them, once.
  stopped=$(systemctl is-active "$unit" || true)
  # A server that was in service is so again, also after an error from here on.
  [ "$stopped" != active ] || trap 'systemctl start "$unit"' EXIT
  systemctl stop "$unit"
  output=$(runuser -u postgres -- "/usr/lib/postgresql/$version/bin/pg_checksums" --enable --pgdata "$data" 2>&1) ||
    die "the checksums could not be switched on, and PostgreSQL runs without: $output. Fix: correct the cause, then run the playbook again"
  trap - EXIT
  echo "checksums are on"
fi
if ! systemctl is-active --quiet "$unit"; then
  start start
  echo started
elif [ -n "$(find "/etc/systemd/system/$unit.service.d/halo.conf" -newerct "$(systemctl show --property=ActiveEnterTimestamp --value --timestamp=us+utc "$unit")")" ]; then
  # Its unit was written after it had started.
  start restart
  echo restarted
else
  # A new connection knows the settings once the server has read them.
  loaded=$(ask --command='SELECT pg_conf_load_time()')
  systemctl reload "$unit"
  for _ in $(seq 100); do
    [ "$(ask --command='SELECT pg_conf_load_time()')" = "$loaded" ] || break
    sleep 0.1
  done
  if [ -n "$(ask --command='SELECT name FROM pg_settings WHERE pending_restart')" ]; then
    start restart
    echo restarted
  fi
fi
wrong=$(ask --command="SELECT sourcefile || ':' || sourceline || ': ' || name || ' = ' || setting || ': ' || error FROM pg_file_settings
    WHERE error IS NOT NULL UNION ALL SELECT 'pg_hba.conf:' || line_number || ': ' || error FROM pg_hba_file_rules WHERE error IS NOT NULL")
[ -z "$wrong" ] || die "$wrong. Fix: correct this setting in role postgres, then run the playbook again"

ask -v database=halo -v statement_timeout="$2" -v idle_timeout="$3" --file=/etc/halo/database.sql

login() { PGPASSWORD=$password psql --no-psqlrc --no-password --quiet --username="$role" --dbname="$role" --command='' </dev/null 2>&1; }
echo "$roles" | while read -r role connections password; do
  [ "$connections" = - ] || ask -v name="$role" -v connections="$connections" --file=/etc/halo/app_database.sql </dev/null
  if login >/dev/null; then continue; fi
  HALO_PASSWORD=$password runuser -u postgres -- psql --no-psqlrc --quiet -v role="$role" <<'SQL'
\getenv password HALO_PASSWORD
ALTER ROLE :"role" PASSWORD :'password';
SQL
  output=$(login) || die "role $role cannot log in: $output. Fix: correct the rules in pg_hba.conf.j2, then run the playbook again"
  echo "the password of role $role is new"
done
