-- The parts and the labour of a job. A release that does not know them still shows the right price, because triggers keep it: the price of
-- a job with lines is their total. The price that a release has sent stands in price_without_lines meanwhile, and is the job's again after its
-- last line.
create table lines (
  id bigint generated always as identity primary key,
  version integer not null default 1,
  service_id bigint not null constraint lines_service_id references services on delete cascade,
  type text not null check (type in ('part', 'labour')),
  name text not null,
  quantity numeric(9, 3) not null check (quantity > 0),
  unit_price numeric(14, 2) not null check (unit_price >= 0),
  total numeric(14, 2) not null generated always as (round(quantity * unit_price, 2)) stored,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now()
);
create index lines_by_service on lines (service_id, id);

alter table services add column line_count integer not null default 0, add column price_without_lines numeric(14, 2),
  add column paid_at timestamptz(3);

create function keep_price() returns trigger language plpgsql set search_path from current as $$
declare
  -- A client that replaces a job sends the total that it has read; that is no other price.
  sent numeric := case when new.price <> old.price then new.price else coalesce(old.price_without_lines, old.price) end;
begin
  select count(*), coalesce(sum(total), sent) into new.line_count, new.price from lines where service_id = new.id;
  new.price_without_lines := case when new.line_count > 0 then sent end;
  return new;
end $$;
create trigger keep_price before update of price on services for each row execute function keep_price();

create function keep_price_of_job() returns trigger language plpgsql set search_path from current as $$
declare
  job bigint := coalesce(new.service_id, old.service_id);
begin
  -- Locked first: the next statement then sees the lines of each transaction that this one had to wait for.
  perform from services where id = job for no key update;
  -- The job's price is a part of its version.
  update services set price = price, version = version + 1, updated_at = now() where id = job;
  return null;
end $$;
create trigger keep_price_of_job after insert or update or delete on lines
  for each row execute function keep_price_of_job();
