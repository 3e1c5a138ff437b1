-- The board of today has every job that was completed today, however long ago it was planned for.
create index services_by_completed_at on services (completed_at) where completed_at is not null;
analyze services;
