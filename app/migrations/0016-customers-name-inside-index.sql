-- A part of a name that is not its beginning. The names that begin with the part are neighbours in customers_by_name; without their first
-- letter this index does not find them a second time. The index customers_name_part stays for one release, which is the one before this one.
create index customers_name_inside on customers using gin (substr(name_key, 2) public.gin_trgm_ops) with (fastupdate = off);
analyze customers;
