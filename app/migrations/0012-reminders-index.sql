create index services_by_remind_at on services (remind_at) where remind_at is not null;
analyze services;
