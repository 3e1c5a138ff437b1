/**
 * Example data for the workshop as SQL, so that the database makes its rows itself: each is a function of the seed and
 * its number, and its id says whose it is. Persons, numbers and addresses are made up (example.com is nobody's, and no
 * subscriber's number starts with 00).
 */

/** The rows to make: rows of the customers numbered from...to (from 1), as seen at `now`. */
export type Batch = { seed: number; from: number; to: number; now: Date };

/** A seed has the ids from this, times the seed, on: the ids that the service gives will not come near. */
const IDS = 1_000_000_000;
/** The id of a seed's first customer, vehicle and service. */
export const firstId = (seed: number): number => seed * IDS + 1;
/** The seeds may be 1 to this, and the customers of one at most MAX_CUSTOMERS; else there would not be enough plates. */
export const MAX_SEED = 80;
export const MAX_CUSTOMERS = 1_000_000;

const words = (text: string) => text.trim().split(/\s*[,\n]\s*/);
const first = words(
  "Budi, Siti, Agus, Dewi, Joko, Sri, Andi, Rina, Hendra, Wati, Rudi, Ayu, Bambang, Ratna, Dedi, Lestari, Eko, Fitri, Fajar, Indah, Gunawan, Kartika, Hadi, Maya, Iwan, Nur, Made, Putri, Wayan, Yuni, Asep, Mega, Ujang, Novi, Rizky, Dian, Taufik, Lina, Yusuf, Intan, Ahmad, Nia, Muhammad, Tuti, Slamet, Endang, Arif, Wulan, Teguh, Citra",
);
const last = words(
  "Santoso, Wijaya, Susanto, Hidayat, Saputra, Lestari, Setiawan, Kurniawan, Nugroho, Siregar, Simanjuntak, Nasution, Harahap, Rahman, Hakim, Suryadi, Utami, Wibowo, Pratama, Handayani, Permata, Halim, Tanjung, Lubis, Sitompul, Manurung, Hartono, Kusuma, Maulana, Firmansyah, Purnomo, Rahayu, Anggraini, Puspita, Suharto, Gunawan, Ramadhan, Syahputra, Ginting, Pangaribuan",
);
const streets = words(
  "Melati, Mawar, Kenanga, Merdeka, Sudirman, Diponegoro, Gajah Mada, Ahmad Yani, Pahlawan, Cendrawasih, Anggrek, Kartini, Veteran, Pemuda, Cempaka, Teuku Umar",
);
/** City and the letters that its plates begin with. */
const cities = words(
  "Jakarta Selatan B, Jakarta Timur B, Depok B, Bekasi B, Tangerang B, Bandung D, Bogor F, Surabaya L, Malang N, Semarang H, Yogyakarta AB, Surakarta AD, Medan BK, Denpasar DK, Palembang BG, Makassar DD",
);
const cars = words(
  "Toyota Avanza, Toyota Kijang Innova, Toyota Rush, Toyota Calya, Toyota Yaris, Toyota Fortuner, Daihatsu Xenia, Daihatsu Sigra, Daihatsu Terios, Daihatsu Ayla, Daihatsu Gran Max, Honda Brio, Honda HR-V, Honda Jazz, Honda Mobilio, Suzuki Ertiga, Suzuki Carry, Suzuki XL7, Mitsubishi Xpander, Mitsubishi Pajero Sport, Mitsubishi L300, Nissan Livina, Wuling Confero, Hyundai Stargazer, Isuzu Panther",
);
const motorcycles = words(
  "Honda BeAT, Honda Vario 125, Honda Scoopy, Honda PCX, Yamaha NMAX, Yamaha Mio, Yamaha Aerox, Suzuki Satria",
);
/** Kind and the least and the highest price in thousands of rupiah. */
const carJobs = words(`
  Ganti oli mesin 300 650, Servis berkala 10.000 km 650 1500, Servis berkala 40.000 km 1800 3500, Tune up 250 600,
  Ganti kampas rem 350 900, Spooring dan balancing 250 450, Ganti aki 750 1800, Servis AC 250 1200, Ganti ban 1600 5200,
  Ganti kopling 1500 3800, Kuras radiator 150 350, Perbaikan kaki-kaki 500 2800, Ganti timing belt 900 2400,
  Cat dan perbaikan bodi 800 6500, Turun mesin 4500 15000`);
const motorcycleJobs = words(`
  Ganti oli mesin 45 110, Servis ringan 60 120, Servis CVT 80 180, Ganti kampas rem 60 150, Ganti ban 180 650,
  Ganti aki 180 380, Ganti V-belt 120 320, Turun mesin 700 2500`);
const complaints = words(
  "Suara kasar dari mesin, Rem kurang pakem, Ban aus tidak rata, Tarikan berat, Bergetar pada kecepatan tinggi, Lampu indikator menyala, Sulit dinyalakan pada pagi hari, Permintaan rutin pelanggan",
);
const notes = words(
  "Suku cadang asli dipakai, Pelanggan menunggu di bengkel, Hubungi sebelum menambah pekerjaan, Garansi 1 bulan, Ban cadangan perlu diganti, Sarankan ganti filter udara pada kunjungan berikutnya",
);

const array = (values: string[]) => `ARRAY[${values.map((value) => `'${value}'`).join(",")}]`;
const pick = (values: string[], random: string) => `(${array(values)})[1 + ${random} % ${values.length}]`;
/** Each row has its own seven random numbers from 0 to 65,535: r(0) ... r(6). */
const r = (i: number) => `(get_byte(h, ${2 * i}) * 256 + get_byte(h, ${2 * i + 1}))`;
/** Rows of numbers `n` with their randomness `h`; OFFSET 0 keeps it from being computed at each use. */
const numbers = (kind: string, seed: number, from: number, to: number) =>
  `(SELECT n, decode(md5('${kind} ${seed} ' || n), 'hex') AS h FROM generate_series(${from}::bigint, ${to}) AS n OFFSET 0) AS numbers`;
const vehiclesOf = (customers: number) => Math.floor(customers * 1.5);

/**
 * The statements that add what is missing of one batch: customers, vehicles (3 for 2 customers), services (5 a customer).
 * They need workshop in their search path and the right to insert; they count what they added by themselves.
 */
export function seedStatements({ seed, from, to, now }: Batch): string[] {
  const base = seed * IDS;
  const moment = `timestamptz '${now.toISOString()}'`;
  const code = `regexp_replace(city, '^.* ', '')`;
  // A bijection from the vehicle's number to one of 9000 numbers and 24^3 endings: plates are unique.
  const plates = 9000 * 24 ** 3;
  const letter = (power: number) => `substr('ABCDEFGHJKLMNPQRSTUVWXYZ', 1 + (p / ${9000 * 24 ** power} % 24)::int, 1)`;
  const jobs = (part: string) =>
    `CASE WHEN v.make || ' ' || v.model = ANY (${array(motorcycles)}) THEN ${pick(motorcycleJobs, part)} ELSE ${pick(carJobs, part)} END`;
  return [
    `INSERT INTO customers (id, name, phone, email, address, created_at, updated_at) OVERRIDING SYSTEM VALUE
SELECT ${base} + n, name,
  '08' || ${pick(words("11,12,13,21,22,52,53,57,58,77,78,81,95,96"), r(2))} || '-00' || lpad((n / 10000)::text, 2, '0') || '-' || lpad((n % 10000)::text, 4, '0'),
  CASE WHEN ${r(3)} % 10 < 7 THEN lower(replace(name, ' ', '.')) || n || '@example.com' END,
  CASE WHEN ${r(4)} % 10 < 9 THEN 'Jl. ' || ${pick(streets, r(4))} || ' No. ' || 1 + ${r(5)} % 200 || ', ' || regexp_replace(${pick(cities, r(6))}, ' [A-Z]+$', '') END,
  at, at
FROM (
  SELECT n, h, ${moment} - make_interval(days => 735 + ${r(5)} % 365, mins => ${r(6)} % 600) AS at,
    ${pick(first, r(0))} || CASE WHEN ${r(2)} % 12 = 0 THEN '' ELSE ' ' || ${pick(last, r(1))} END AS name
  FROM ${numbers("customer", seed, from, to)} OFFSET 0) AS made
ON CONFLICT DO NOTHING`,
    `INSERT INTO vehicles (id, customer_id, plate, make, model, year, vin, created_at, updated_at) OVERRIDING SYSTEM VALUE
SELECT ${base} + n, c.id, ${code} || ' ' || 1000 + p % 9000 || ' ' || ${letter(0)} || ${letter(1)} || ${letter(2)},
  split_part(what, ' ', 1), substr(what, strpos(what, ' ') + 1), 2008 + ${r(3)} % ${now.getUTCFullYear() - 2007},
  CASE WHEN ${r(4)} % 10 < 6 THEN 'MH' || upper(substr(encode(h, 'hex'), 1, 15)) END,
  c.created_at + interval '5 minutes', c.created_at + interval '5 minutes'
FROM (
  SELECT n, h, (${seed} * ${1.5 * MAX_CUSTOMERS} + n) * 15485863 % ${plates} AS p, ${pick(cities, r(0))} AS city,
    CASE WHEN ${r(1)} % 10 < 6 THEN ${pick(cars, r(2))} ELSE ${pick(motorcycles, r(2))} END AS what
  FROM ${numbers("vehicle", seed, vehiclesOf(from - 1) + 1, vehiclesOf(to))} OFFSET 0) AS made
JOIN customers c ON c.id = ${base} + (n - 1) / 3 * 2 + CASE WHEN n % 3 = 1 THEN 1 ELSE 2 END
ON CONFLICT DO NOTHING`,
    `INSERT INTO services (id, vehicle_id, kind, description, status, price, scheduled_at, completed_at, notes, created_at, updated_at)
  OVERRIDING SYSTEM VALUE
SELECT ${base} + n, vehicle_id, regexp_replace(job, ' \\d+ \\d+$', ''),
  CASE WHEN ${r(1)} % 10 < 6 THEN ${pick(complaints, r(2))} END, status, low * 1000 + ${r(3)} % ((high - low) / 5 + 1) * 5000,
  at, CASE WHEN status = 'done' THEN at + make_interval(mins => 30 + ${r(4)} % 420) END,
  CASE WHEN ${r(5)} % 5 = 0 THEN ${pick(notes, r(6))} END, ordered, greatest(ordered, least(at, ${moment}))
FROM (
  SELECT n, h, vehicle_id, job, at, substring(job, '(\\d+) \\d+$')::int AS low, substring(job, '\\d+$')::int AS high,
    least(at, ${moment}) - make_interval(hours => 1 + ${r(4)} % 240) AS ordered,
    CASE WHEN at > ${moment} THEN CASE ${r(5)} % 20 WHEN 0 THEN 'cancelled' ELSE 'scheduled' END
      WHEN at > ${moment} - interval '30 hours' THEN 'in_progress'
      ELSE CASE ${r(5)} % 16 WHEN 0 THEN 'cancelled' ELSE 'done' END END AS status
  FROM (
    SELECT n, h, v.id AS vehicle_id, ${jobs(r(0))} AS job,
      -- Half hours from 8:00 to 16:30 in Jakarta; what falls on a Sunday is done on Monday.
      (day + CASE extract(dow FROM day) WHEN 0 THEN 1 ELSE 0 END + make_interval(mins => 60 + 30 * (${r(3)} % 18))) AT TIME ZONE 'UTC' AS at
    FROM (
      SELECT *, date '${now.toISOString().slice(0, 10)}' - 730 + ${r(6)} % 759 AS day, (n - 1) / 5 + 1 AS customer
      FROM ${numbers("service", seed, 5 * (from - 1) + 1, 5 * to)} OFFSET 0) AS numbers
    JOIN vehicles v ON v.id = ${base} + (customer - 1) / 2 * 3 + CASE WHEN customer % 2 = 1 THEN 1 ELSE 2 + ${r(1)} % 2 END OFFSET 0) AS planned
  OFFSET 0) AS made
ON CONFLICT DO NOTHING`,
  ];
}

/** The statement that gives the number of a seed's customers, and the highest number among them, or 0. */
export const countStatement = (seed: number): string =>
  `SELECT count(*) AS customers, coalesce(max(id) - ${seed * IDS}, 0) AS highest FROM customers WHERE id BETWEEN ${seed * IDS} AND ${(seed + 1) * IDS - 1}`;

/** The statements that take one batch out again (services, vehicles, customers); what others' rows hang on stays. */
export function removeStatements({ seed, from, to }: Omit<Batch, "now">): string[] {
  const between = (low: number, high: number) => `id BETWEEN ${seed * IDS + low} AND ${seed * IDS + high}`;
  return [
    `DELETE FROM services WHERE ${between(5 * (from - 1) + 1, 5 * to)}`,
    `DELETE FROM vehicles v WHERE ${between(vehiclesOf(from - 1) + 1, vehiclesOf(to))} AND NOT EXISTS (SELECT FROM services s WHERE s.vehicle_id = v.id)`,
    `DELETE FROM customers c WHERE ${between(from, to)} AND NOT EXISTS (SELECT FROM vehicles v WHERE v.customer_id = c.id)`,
  ];
}
