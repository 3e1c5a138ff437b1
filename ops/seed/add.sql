-- Adds the missing rows of one batch: customers, vehicles (3 for 2 customers) and services (5 a customer). Each row is a
-- function of :seed and its number. It needs words.sql, workshop in the search path and the right to insert. Variables:
--   seed, base     the seed, and the number below the id of its first row
--   most           customers that a seed may have
--   from, to, now  the numbers of the customers, from 1, and the time as of which the rows are made

CREATE OR REPLACE FUNCTION pg_temp.pick(words text[], random int) RETURNS text LANGUAGE sql IMMUTABLE
RETURN words[1 + random % cardinality(words)];

-- Rows of numbers with their randomness: a hash h, and its parts as numbers from 0 to 65,535. OFFSET 0 keeps PostgreSQL
-- from computing an expression at each of its uses.
CREATE OR REPLACE FUNCTION pg_temp.numbers(kind text, first bigint, last bigint)
RETURNS TABLE (n bigint, h bytea, r0 int, r1 int, r2 int, r3 int, r4 int, r5 int, r6 int) LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT n, h,
    get_byte(h, 0) * 256 + get_byte(h, 1), get_byte(h, 2) * 256 + get_byte(h, 3),
    get_byte(h, 4) * 256 + get_byte(h, 5), get_byte(h, 6) * 256 + get_byte(h, 7),
    get_byte(h, 8) * 256 + get_byte(h, 9), get_byte(h, 10) * 256 + get_byte(h, 11),
    get_byte(h, 12) * 256 + get_byte(h, 13)
  FROM (SELECT n, decode(md5(kind || ' ' || n), 'hex') AS h FROM generate_series(first, last) AS n OFFSET 0) AS hashed
  OFFSET 0;
END;

INSERT INTO customers (id, name, phone, email, address, created_at, updated_at) OVERRIDING SYSTEM VALUE
SELECT :base + n, name,
  '08' || pg_temp.pick(pg_temp.prefixes(), r2) || '-00' || lpad((n / 10000)::text, 2, '0') || '-' || lpad((n % 10000)::text, 4, '0'),
  CASE WHEN r3 % 10 < 7 THEN lower(replace(name, ' ', '.')) || n || '@example.com' END,
  CASE WHEN r4 % 10 < 9 THEN 'Jl. ' || pg_temp.pick(pg_temp.streets(), r4) || ' No. ' || 1 + r5 % 200 || ', '
    || regexp_replace(pg_temp.pick(pg_temp.cities(), r6), ' [A-Z]+$', '') END,
  at, at
FROM (
  SELECT *, timestamptz :'now' - make_interval(days => 735 + r5 % 365, mins => r6 % 600) AS at,
    pg_temp.pick(pg_temp.first_names(), r0)
      || CASE WHEN r2 % 12 = 0 THEN '' ELSE ' ' || pg_temp.pick(pg_temp.last_names(), r1) END AS name
  FROM pg_temp.numbers('customer ' || :seed, :from, :to) OFFSET 0) AS made
ON CONFLICT DO NOTHING;

CREATE OR REPLACE FUNCTION pg_temp.letter(number bigint) RETURNS text LANGUAGE sql IMMUTABLE
RETURN substr('ABCDEFGHJKLMNPQRSTUVWXYZ', 1 + (number % 24)::int, 1);

INSERT INTO vehicles (id, customer_id, plate, make, model, year, vin, created_at, updated_at) OVERRIDING SYSTEM VALUE
SELECT :base + n, c.id, regexp_replace(city, '^.* ', '') || ' ' || 1000 + p % 9000 || ' '
    || pg_temp.letter(p / 9000) || pg_temp.letter(p / 9000 / 24) || pg_temp.letter(p / 9000 / 24 / 24),
  split_part(what, ' ', 1), substr(what, strpos(what, ' ') + 1),
  2008 + r3 % (extract(year FROM timestamptz :'now' AT TIME ZONE 'UTC')::int - 2007),
  CASE WHEN r4 % 10 < 6 THEN 'MH' || upper(substr(encode(h, 'hex'), 1, 15)) END,
  c.created_at + interval '5 minutes', c.created_at + interval '5 minutes'
FROM (
  -- A bijection from the vehicle's number to one of 9000 numbers and 24 * 24 * 24 endings: plates are unique.
  SELECT *, (:seed * (:most * 3 / 2) + n) * 15485863 % (9000 * 24 * 24 * 24) AS p, pg_temp.pick(pg_temp.cities(), r0) AS city,
    CASE WHEN r1 % 10 < 6 THEN pg_temp.pick(pg_temp.cars(), r2) ELSE pg_temp.pick(pg_temp.motorcycles(), r2) END AS what
  FROM pg_temp.numbers('vehicle ' || :seed, (:from - 1) * 3 / 2 + 1, :to * 3 / 2) OFFSET 0) AS made
JOIN customers c ON c.id = :base + (n - 1) / 3 * 2 + CASE WHEN n % 3 = 1 THEN 1 ELSE 2 END
ON CONFLICT DO NOTHING;

INSERT INTO services (id, vehicle_id, kind, description, status, price, scheduled_at, completed_at, paid_at, notes, created_at, updated_at)
  OVERRIDING SYSTEM VALUE
SELECT :base + n, vehicle_id, regexp_replace(job, ' \d+ \d+$', ''),
  CASE WHEN r1 % 10 < 6 THEN pg_temp.pick(pg_temp.complaints(), r2) END, status, low * 1000 + r3 % ((high - low) / 5 + 1) * 5000,
  at, CASE WHEN status = 'done' THEN at + make_interval(mins => 30 + r4 % 420) END,
  CASE WHEN status = 'done' THEN at + make_interval(mins => 30 + r4 % 420) END,
  CASE WHEN r5 % 5 = 0 THEN pg_temp.pick(pg_temp.notes(), r6) END, ordered, greatest(ordered, least(at, timestamptz :'now'))
FROM (
  SELECT *, substring(job, '(\d+) \d+$')::int AS low, substring(job, '\d+$')::int AS high,
    least(at, timestamptz :'now') - make_interval(hours => 1 + r4 % 240) AS ordered,
    CASE WHEN at > timestamptz :'now' THEN CASE r5 % 20 WHEN 0 THEN 'cancelled' ELSE 'scheduled' END
      WHEN at > timestamptz :'now' - interval '30 hours' THEN 'in_progress'
      ELSE CASE r5 % 16 WHEN 0 THEN 'cancelled' ELSE 'done' END END AS status
  FROM (
    SELECT numbers.*, v.id AS vehicle_id,
      CASE WHEN v.make || ' ' || v.model = ANY (pg_temp.motorcycles()) THEN pg_temp.pick(pg_temp.motorcycle_jobs(), r0)
        ELSE pg_temp.pick(pg_temp.car_jobs(), r0) END AS job,
      -- Half hours from 8:00 to 16:30 in Jakarta; a service on a Sunday is moved to Monday.
      (day + CASE extract(dow FROM day) WHEN 0 THEN 1 ELSE 0 END + make_interval(mins => 60 + 30 * (r3 % 18))) AT TIME ZONE 'UTC' AS at
    FROM (
      SELECT *, (timestamptz :'now' AT TIME ZONE 'UTC')::date - 730 + r6 % 759 AS day, (n - 1) / 5 + 1 AS customer
      FROM pg_temp.numbers('service ' || :seed, 5 * (:from - 1) + 1, 5 * :to) OFFSET 0) AS numbers
    JOIN vehicles v ON v.id = :base + (customer - 1) / 2 * 3 + CASE WHEN customer % 2 = 1 THEN 1 ELSE 2 + r1 % 2 END OFFSET 0) AS planned
  OFFSET 0) AS made
ON CONFLICT DO NOTHING;
