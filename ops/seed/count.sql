-- The number of a seed's customers, and the highest number among them, or 0. Variables: see add.sql; next, the base of the next seed.
SELECT count(*) AS customers, coalesce(max(id) - :base, 0) AS highest FROM customers WHERE id BETWEEN :base AND :next - 1;
