#!/bin/bash
# Gives the service's role in PostgreSQL another password (start), or its own one again (undo).
# The file keeps PostgreSQL's verifier of the password, which PostgreSQL takes as a password too.
verifier=/run/halo-fault-verifier
superuser() { runuser -u postgres -- psql -qAtX -v ON_ERROR_STOP=1 halo "$@"; }

cd / || exit
case $1 in
  start)
    umask 077
    [ -s $verifier ] || superuser -c "SELECT rolpassword FROM pg_authid WHERE rolname = 'halo'" >$verifier
    superuser -c "ALTER ROLE halo PASSWORD 'another'"
    superuser -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'halo'" >/dev/null
    ;;
  undo)
    if [ -s $verifier ]; then
      VERIFIER=$(cat $verifier) superuser <<'SQL'
\getenv verifier VERIFIER
ALTER ROLE halo PASSWORD :'verifier';
SQL
      rm $verifier
    fi
    ;;
esac
