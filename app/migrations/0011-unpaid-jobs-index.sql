create index services_unpaid on services (completed_at) include (price) where status = 'done' and paid_at is null;
