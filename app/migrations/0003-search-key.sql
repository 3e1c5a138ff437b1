-- The text in which a search finds a customer: name, the phone number's digits, e-mail address, and of each vehicle the plate without
-- signs, make and model. Each word stands between two spaces, in small letters. Triggers keep it, so a release that does not know it
-- keeps it as well. A generated column could not read the vehicles, and would rewrite the table.
alter table customers add column search_key text collate "C" not null default '';

create function search_text(name text, phone text, email text, cars text) returns text language sql stable
return lower(concat(' ', name, ' ', regexp_replace(phone, '[^0-9]', '', 'g'), ' ', email || ' ', cars) collate "und-x-icu");

create function car_text(car vehicles) returns text language sql stable
return concat(car.plate_key, ' ', car.make, ' ', car.model, ' ');

create function keep_search_key() returns trigger language plpgsql set search_path from current as $$
begin
  -- A new customer has no vehicles.
  new.search_key := search_text(new.name, new.phone, new.email, case when tg_op = 'UPDATE' then
    (select string_agg(car_text(car), '' order by car.plate_key) from vehicles car where car.customer_id = new.id) end);
  return new;
end $$;
create trigger keep_search_key before insert or update of name, phone, email on customers
  for each row execute function keep_search_key();

create function keep_search_key_of_owners() returns trigger language plpgsql set search_path from current as $$
declare
  owners bigint[];
begin
  if tg_op = 'UPDATE' then
    -- Another year of a car changes no text: its owner is not locked.
    owners := array(select distinct unnest(array[old_car.customer_id, car.customer_id]) from removed old_car join added car using (id)
      where (old_car.customer_id, old_car.plate_key, old_car.make, old_car.model)
        is distinct from (car.customer_id, car.plate_key, car.make, car.model));
  elsif tg_op = 'INSERT' then
    owners := array(select distinct customer_id from added);
  else
    owners := array(select distinct customer_id from removed);
  end if;
  -- Locked first: the next statement then sees the vehicles of each transaction that this one had to wait for.
  perform from customers where id = any(owners) order by id for no key update;
  -- Without a join: after a removal the planner may take the tables for empty, and would join each row with all others.
  update customers c set search_key = search_text(c.name, c.phone, c.email,
    (select string_agg(car_text(car), '' order by car.plate_key) from vehicles car where car.customer_id = c.id)) where c.id = any(owners);
  return null;
end $$;
create trigger keep_search_key_insert after insert on vehicles referencing new table as added
  for each statement execute function keep_search_key_of_owners();
create trigger keep_search_key_update after update on vehicles referencing old table as removed new table as added
  for each statement execute function keep_search_key_of_owners();
create trigger keep_search_key_delete after delete on vehicles referencing old table as removed
  for each statement execute function keep_search_key_of_owners();
