# shellcheck shell=sh
sql() { (cd / && runuser -u postgres -- psql --no-psqlrc --quiet --tuples-only --no-align -v ON_ERROR_STOP=1 --dbname=halo --command="$1"); }
# migrated APP: its releases here of which every migration is applied
migrated() {
  applied=$(sql "SELECT string_agg(name, ' ') FROM workshop.migrations" 2>/dev/null) || return
  for folder in "/opt/halo/apps/$1/releases"/*/; do
    for file in "$folder"migrations/*.sql; do
      case " $applied *.sql " in *" ${file##*/} "*) ;; *) continue 2 ;; esac # *.sql: it has none
    done
    basename "$folder"
  done | xargs
}

if in_group postgres; then
  check "postgresql answers, and the service's role can read" "see journalctl -u 'postgresql@*'" sql "SET ROLE halo; SELECT count(*) FROM workshop.migrations"
  check "postgresql's role for the service makes and owns nothing" "$AGAIN" contains f sql "SELECT has_schema_privilege('halo', 'workshop', 'CREATE') OR has_database_privilege('halo', 'halo', 'CREATE')
    OR has_function_privilege('halo', 'lo_create(oid)', 'EXECUTE') OR EXISTS (SELECT FROM pg_class WHERE relowner = 'halo'::regrole)"
  check "postgresql has checksums, and none was wrong" "restore a backup: docs/operations/backup.md" contains on/0 sql "SELECT current_setting('data_checksums') || '/' || sum(checksum_failures) FROM pg_stat_database"
  check "postgresql flushes each write that it acknowledges" "$AGAIN" contains on/on sql "SELECT current_setting('fsync') || '/' || current_setting('synchronous_commit')"
  left=$(sql "SELECT string_agg(datname, ', ') FROM pg_database WHERE datname ~ '^(halo|app_halo_.+)_loading$|^halo_(.+_)?before_[0-9]{8}t[0-9]{6}$'" 2>/dev/null || true)
  [ -z "$left" ] || echo "note|postgresql also has the database $left|a restore that was interrupted left it. Fix: check its rows, then on the host: sudo -u postgres dropdb NAME"
  for app in $MIGRATED; do echo "ok|$app: migrations are applied of release $(migrated "$app")"; done
fi
