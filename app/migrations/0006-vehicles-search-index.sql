-- Plate, make and model of a vehicle, as search_key has them.
create index vehicles_search on vehicles using gin ((model_key || ' ' || lower(plate_key) || ' ') public.gin_trgm_ops)
  with (fastupdate = off);
analyze vehicles;
