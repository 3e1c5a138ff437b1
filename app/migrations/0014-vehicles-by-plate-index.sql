-- A search for a frequent make reads vehicles in the order of their plates until a page is full: from this index alone, not from the table.
create index vehicles_by_plate on vehicles (plate_key, id) include (model_key);
analyze vehicles;
