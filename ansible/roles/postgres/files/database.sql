-- Makes or corrects the roles, schema and rights that the service and its migrations need; a second run changes nothing. As the superuser:
--   psql --no-psqlrc -v database=halo -v statement_timeout=5000 -v idle_timeout=5000 --file=database.sql
-- Prints a line where it changed something.
\set ON_ERROR_STOP on
\pset tuples_only on
\pset format unaligned
SET client_min_messages = warning;
\set QUIET off
SELECT 'CREATE ROLE halo_owner' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'halo_owner') \gexec
SELECT 'CREATE ROLE prometheus LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'prometheus') \gexec
SELECT 'CREATE ROLE halo LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'halo') \gexec
-- Compared by code point: the order of an index must not change with the next version of Debian.
SELECT format('CREATE DATABASE %I TEMPLATE template0 ENCODING ''UTF8'' LOCALE ''C.UTF-8''', :'database')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
\set QUIET on
\connect :database
SET client_min_messages = warning;

CREATE TEMPORARY VIEW state AS SELECT md5(concat(
  (SELECT string_agg(each::text, ',' ORDER BY rolname) FROM (SELECT rolname, rolsuper, rolcreaterole, rolcreatedb,
     rolcanlogin, rolreplication, rolbypassrls, rolconfig, rolconnlimit, rolvaliduntil FROM pg_roles WHERE rolname ~ '^(halo|prometheus)') each),
  (SELECT string_agg(roleid::regrole::text, ',' ORDER BY roleid) FROM pg_auth_members WHERE member = to_regrole('prometheus')),
  (SELECT datacl::text FROM pg_database WHERE datname = current_database()),
  (SELECT string_agg(each::text, ',' ORDER BY nspname) FROM (SELECT nspname, nspowner, nspacl FROM pg_namespace
     WHERE nspname IN ('public', 'workshop')) each),
  (SELECT string_agg(each::text, ',' ORDER BY defaclobjtype) FROM pg_default_acl each),
  (SELECT string_agg(concat(oid::regprocedure, proacl), ',' ORDER BY oid) FROM pg_proc WHERE proname ~ '^lo_(creat|from)'),
  (SELECT string_agg(extname, ',' ORDER BY extname) FROM pg_extension))) AS state;
SELECT state AS before FROM state \gset

ALTER ROLE halo_owner NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE halo_owner SET search_path = workshop;
ALTER ROLE halo LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT -1 VALID UNTIL 'infinity';
ALTER ROLE halo SET search_path = workshop;
ALTER ROLE halo SET statement_timeout = :statement_timeout;
ALTER ROLE halo SET idle_in_transaction_session_timeout = :idle_timeout;
-- Below the service's own bound on a statement (0.7 s): it repeats a transaction that a deadlock has ended, not one that came too late.
ALTER ROLE halo SET deadlock_timeout = '200ms';

-- The exporter's: it logs in by the socket, and reads statistics, no rows.
ALTER ROLE prometheus LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 5;
GRANT pg_monitor TO prometheus;

REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO halo, prometheus;
GRANT TEMPORARY ON DATABASE :"database" TO halo_owner;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
-- A large object belongs to no schema, so nothing above keeps the service from making one.
REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC;
CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public;

CREATE SCHEMA IF NOT EXISTS workshop;
ALTER SCHEMA workshop OWNER TO halo_owner;
GRANT USAGE ON SCHEMA workshop TO halo;
ALTER DEFAULT PRIVILEGES FOR ROLE halo_owner IN SCHEMA workshop GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO halo;
ALTER DEFAULT PRIVILEGES FOR ROLE halo_owner IN SCHEMA workshop GRANT USAGE ON SEQUENCES TO halo;

SELECT 'put roles, schema and rights of ' || current_database() || ' right' FROM state WHERE state <> :'before';
