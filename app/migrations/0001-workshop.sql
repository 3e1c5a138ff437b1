-- Run by halo_owner, whose search_path is the schema workshop. Text that is sorted or searched has a key column in byte
-- order (collate "C"): LIKE 'x%' and keyset pages then use plain B-trees whatever the database's locale is.
-- GIN without fastupdate: a pending list would be read by every search until the next vacuum.

create table customers (
  id bigint generated always as identity primary key,
  version integer not null default 1,
  name text not null,
  phone text not null,
  email text,
  address text,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  name_key text collate "C" not null generated always as (lower(name collate "und-x-icu")) stored,
  phone_digits text collate "C" not null generated always as (regexp_replace(phone, '[^0-9]', '', 'g')) stored
);
create index customers_by_name on customers (name_key, id) include (phone_digits);
create index customers_by_created_at on customers (created_at, id);
create index customers_name_part on customers using gin (name_key public.gin_trgm_ops) with (fastupdate = off);
create index customers_phone_part on customers using gin (phone_digits public.gin_trgm_ops) with (fastupdate = off);

create table vehicles (
  id bigint generated always as identity primary key,
  version integer not null default 1,
  customer_id bigint not null constraint vehicles_customer_id references customers,
  plate text not null,
  make text not null,
  model text not null,
  year smallint not null,
  vin text constraint vehicles_vin unique,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  plate_key text collate "C" not null generated always as (regexp_replace(plate, '[^A-Z0-9]', '', 'g')) stored
    constraint vehicles_plate unique,
  -- The space before it makes each word begin after one.
  model_key text collate "C" not null generated always as (lower((' ' || make || ' ' || model) collate "und-x-icu")) stored
);
create index vehicles_by_customer on vehicles (customer_id, plate_key);
create index vehicles_by_created_at on vehicles (created_at, id);
create index vehicles_model_part on vehicles using gin (model_key public.gin_trgm_ops) with (fastupdate = off);

create table services (
  id bigint generated always as identity primary key,
  version integer not null default 1,
  vehicle_id bigint not null constraint services_vehicle_id references vehicles,
  kind text not null,
  description text,
  status text not null check (status in ('scheduled', 'in_progress', 'done', 'cancelled')),
  price numeric(14, 2) not null check (price >= 0),
  scheduled_at timestamptz(3) not null,
  completed_at timestamptz(3),
  notes text,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  check ((status = 'done') = (completed_at is not null))
);
create index services_by_scheduled_at on services (scheduled_at, id);
create index services_by_created_at on services (created_at, id);
create index services_by_vehicle on services (vehicle_id, scheduled_at, id);
create index services_by_status on services (status, scheduled_at, id);
create index services_by_status_created_at on services (status, created_at, id);
create index services_by_status_id on services (status, id);

-- The answer of a POST with an Idempotency-Key, written by the transaction that made the row.
create table idempotency_keys (
  key text primary key,
  request text not null,
  location text,
  etag text,
  body text,
  created_at timestamptz not null default now()
);
create index idempotency_keys_by_created_at on idempotency_keys (created_at);
