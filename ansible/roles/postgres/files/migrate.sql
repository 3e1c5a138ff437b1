-- Applies one migration, as a whole or not at all. Its text is the standard input. As the superuser:
--   psql --no-psqlrc --quiet -v owner=ROLE -v schema=SCHEMA -v name=NAME -v sha256=SUM -v release=ID --file=migrate.sql <NAME
-- The text is data: EXECUTE refuses transaction control in it, psql never reads its lines as commands of its own, and it stays
-- the owner's, because a function with the rights of its owner cannot change the role.
\set ON_ERROR_STOP on
\set migration `cat`
SET lc_messages = 'C'; -- halo-migrate reads them
SET client_min_messages = error;
SET ROLE :"owner";
SET search_path = :"schema";
-- A migration that waits for somebody's transaction makes everybody wait behind it.
SET lock_timeout = '5s';
BEGIN;
SELECT to_regclass('migrations') IS NULL AS first \gset
\if :first
CREATE TABLE migrations (name text PRIMARY KEY, sha256 text NOT NULL, release text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
REVOKE INSERT, UPDATE, DELETE ON migrations FROM halo;
\endif
INSERT INTO migrations (name, sha256, release) VALUES (:'name', :'sha256', :'release');
CREATE FUNCTION pg_temp.apply(migration text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN EXECUTE migration; END';
SELECT pg_temp.apply(:'migration') \g /dev/null
COMMIT;
