-- Makes or corrects an app's own database, with a role that owns it and that no other database lets in; a second run changes nothing. As
-- the superuser: psql --no-psqlrc -v name=halo_shop -v connections=36 --file=app_database.sql
-- Prints a line where it changed something.
\set ON_ERROR_STOP on
\pset tuples_only on
\pset format unaligned
SET client_min_messages = warning;
\set QUIET off
SELECT format('CREATE ROLE %I LOGIN', :'name') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING ''UTF8'' LOCALE ''C.UTF-8''', :'name', :'name')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
SELECT format('ALTER ROLE %I CONNECTION LIMIT %s', :'name', :'connections')
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name' AND rolconnlimit = :'connections'::int) \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'name')
  WHERE EXISTS (SELECT FROM pg_database WHERE datname = :'name' AND (datacl IS NULL OR datacl::text ~ '[{,]=')) \gexec
