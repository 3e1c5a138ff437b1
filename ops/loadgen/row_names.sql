-- The names of the customers whose names begin with a prefix.
SELECT name FROM workshop.customers WHERE name LIKE :'prefix' || '-%';
