-- Removes the customers whose names begin with a prefix, and such idempotency keys; gives the number of customers.
DELETE FROM workshop.idempotency_keys WHERE key LIKE :'prefix' || '-%';
WITH gone AS (DELETE FROM workshop.customers WHERE name LIKE :'prefix' || '-%' RETURNING 1) SELECT count(*) FROM gone;
