-- The words of the example data. PostgreSQL takes each list as a constant: it inlines such a function.
-- Persons, numbers and addresses are made up: example.com is nobody's, and no subscriber's number starts with 00.
CREATE OR REPLACE FUNCTION pg_temp.first_names() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN ARRAY[
  'Budi', 'Siti', 'Agus', 'Dewi', 'Joko', 'Sri', 'Andi', 'Rina', 'Hendra', 'Wati', 'Rudi', 'Ayu', 'Bambang',
  'Ratna', 'Dedi', 'Lestari', 'Eko', 'Fitri', 'Fajar', 'Indah', 'Gunawan', 'Kartika', 'Hadi', 'Maya', 'Iwan', 'Nur',
  'Made', 'Putri', 'Wayan', 'Yuni', 'Asep', 'Mega', 'Ujang', 'Novi', 'Rizky', 'Dian', 'Taufik', 'Lina', 'Yusuf',
  'Intan', 'Ahmad', 'Nia', 'Muhammad', 'Tuti', 'Slamet', 'Endang', 'Arif', 'Wulan', 'Teguh', 'Citra'];
CREATE OR REPLACE FUNCTION pg_temp.last_names() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN ARRAY[
  'Santoso', 'Wijaya', 'Susanto', 'Hidayat', 'Saputra', 'Lestari', 'Setiawan', 'Kurniawan', 'Nugroho', 'Siregar',
  'Simanjuntak', 'Nasution', 'Harahap', 'Rahman', 'Hakim', 'Suryadi', 'Utami', 'Wibowo', 'Pratama', 'Handayani',
  'Permata', 'Halim', 'Tanjung', 'Lubis', 'Sitompul', 'Manurung', 'Hartono', 'Kusuma', 'Maulana', 'Firmansyah',
  'Purnomo', 'Rahayu', 'Anggraini', 'Puspita', 'Suharto', 'Gunawan', 'Ramadhan', 'Syahputra', 'Ginting',
  'Pangaribuan'];
CREATE OR REPLACE FUNCTION pg_temp.streets() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN ARRAY[
  'Melati', 'Mawar', 'Kenanga', 'Merdeka', 'Sudirman', 'Diponegoro', 'Gajah Mada', 'Ahmad Yani', 'Pahlawan',
  'Cendrawasih', 'Anggrek', 'Kartini', 'Veteran', 'Pemuda', 'Cempaka', 'Teuku Umar'];
-- A city and the letters that its plates begin with.
CREATE OR REPLACE FUNCTION pg_temp.cities() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN ARRAY[
  'Jakarta Selatan B', 'Jakarta Timur B', 'Depok B', 'Bekasi B', 'Tangerang B', 'Bandung D', 'Bogor F',
  'Surabaya L', 'Malang N', 'Semarang H', 'Yogyakarta AB', 'Surakarta AD', 'Medan BK', 'Denpasar DK',
  'Palembang BG', 'Makassar DD'];
CREATE OR REPLACE FUNCTION pg_temp.cars() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN ARRAY[
  'Toyota Avanza', 'Toyota Kijang Innova', 'Toyota Rush', 'Toyota Calya', 'Toyota Yaris', 'Toyota Fortuner',
  'Daihatsu Xenia', 'Daihatsu Sigra', 'Daihatsu Terios', 'Daihatsu Ayla', 'Daihatsu Gran Max', 'Honda Brio',
  'Honda HR-V', 'Honda Jazz', 'Honda Mobilio', 'Suzuki Ertiga', 'Suzuki Carry', 'Suzuki XL7', 'Mitsubishi Xpander',
  'Mitsubishi Pajero Sport', 'Mitsubishi L300', 'Nissan Livina', 'Wuling Confero', 'Hyundai Stargazer',
  'Isuzu Panther'];
CREATE OR REPLACE FUNCTION pg_temp.motorcycles() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN ARRAY[
  'Honda BeAT', 'Honda Vario 125', 'Honda Scoopy', 'Honda PCX', 'Yamaha NMAX', 'Yamaha Mio', 'Yamaha Aerox',
  'Suzuki Satria'];
-- A job, and the least and the highest price in thousands of rupiah.
CREATE OR REPLACE FUNCTION pg_temp.car_jobs() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN ARRAY[
  'Ganti oli mesin 300 650', 'Servis berkala 10.000 km 650 1500', 'Servis berkala 40.000 km 1800 3500',
  'Tune up 250 600', 'Ganti kampas rem 350 900', 'Spooring dan balancing 250 450', 'Ganti aki 750 1800',
  'Servis AC 250 1200', 'Ganti ban 1600 5200', 'Ganti kopling 1500 3800', 'Kuras radiator 150 350',
  'Perbaikan kaki-kaki 500 2800', 'Ganti timing belt 900 2400', 'Cat dan perbaikan bodi 800 6500',
  'Turun mesin 4500 15000'];
CREATE OR REPLACE FUNCTION pg_temp.motorcycle_jobs() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN ARRAY[
  'Ganti oli mesin 45 110', 'Servis ringan 60 120', 'Servis CVT 80 180', 'Ganti kampas rem 60 150',
  'Ganti ban 180 650', 'Ganti aki 180 380', 'Ganti V-belt 120 320', 'Turun mesin 700 2500'];
CREATE OR REPLACE FUNCTION pg_temp.complaints() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN ARRAY[
  'Suara kasar dari mesin', 'Rem kurang pakem', 'Ban aus tidak rata', 'Tarikan berat',
  'Bergetar pada kecepatan tinggi', 'Lampu indikator menyala', 'Sulit dinyalakan pada pagi hari',
  'Permintaan rutin pelanggan'];
CREATE OR REPLACE FUNCTION pg_temp.notes() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN ARRAY[
  'Suku cadang asli dipakai', 'Pelanggan menunggu di bengkel', 'Hubungi sebelum menambah pekerjaan',
  'Garansi 1 bulan', 'Ban cadangan perlu diganti', 'Sarankan ganti filter udara pada kunjungan berikutnya'];
CREATE OR REPLACE FUNCTION pg_temp.prefixes() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN ARRAY[
  '11', '12', '13', '21', '22', '52', '53', '57', '58', '77', '78', '81', '95', '96'];
