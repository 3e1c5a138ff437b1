-- Removes the customers whose names begin with a prefix, with their vehicles and jobs, and such idempotency keys; gives the number of
-- customers.
DELETE FROM workshop.idempotency_keys WHERE key LIKE :'prefix' || '-%';
DELETE FROM workshop.services s USING workshop.vehicles v, workshop.customers c
  WHERE s.vehicle_id = v.id AND v.customer_id = c.id AND c.name LIKE :'prefix' || '-%';
DELETE FROM workshop.vehicles v USING workshop.customers c WHERE v.customer_id = c.id AND c.name LIKE :'prefix' || '-%';
WITH gone AS (DELETE FROM workshop.customers WHERE name LIKE :'prefix' || '-%' RETURNING 1) SELECT count(*) FROM gone;
