-- The person behind each change, written by the statement that changes the row. Without a login nobody is known, and nothing is written.
-- Of personal data only the names of the fields are kept, so that a row that is deleted is gone.
create table changes (
  id bigint generated always as identity primary key,
  at timestamptz(3) not null default now(),
  person text not null,
  resource text not null,
  row_id bigint not null,
  action text not null check (action in ('created', 'changed', 'deleted')),
  fields jsonb not null
);
create index changes_by_row on changes (resource, row_id, id);
