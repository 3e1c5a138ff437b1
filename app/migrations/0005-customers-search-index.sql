-- Writes to a table wait while an index of it is built: so each of these has a migration of its own. The older indexes stay for one release,
-- which is the one before this one.
create index customers_search on customers using gin (search_key public.gin_trgm_ops) with (fastupdate = off);
analyze customers;
