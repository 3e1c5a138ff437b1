-- Removes one batch again; rows that somebody else's rows refer to stay. Variables: see add.sql.
DELETE FROM services WHERE id BETWEEN :base + 5 * (:from - 1) + 1 AND :base + 5 * :to;
DELETE FROM vehicles v WHERE id BETWEEN :base + (:from - 1) * 3 / 2 + 1 AND :base + :to * 3 / 2
  AND NOT EXISTS (SELECT FROM services s WHERE s.vehicle_id = v.id);
DELETE FROM customers c WHERE id BETWEEN :base + :from AND :base + :to
  AND NOT EXISTS (SELECT FROM vehicles v WHERE v.customer_id = c.id);
