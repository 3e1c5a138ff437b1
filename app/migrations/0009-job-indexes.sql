-- By itself, because 0008 locks the table against every reader until its end. Each index has the few jobs of one question: the
-- revenue of a month, the jobs that wait for their payment, the customers to remind.
create index services_by_paid_at on services (paid_at) include (price) where paid_at is not null;
create index services_unpaid on services (completed_at) include (price) where status = 'done' and paid_at is null;
create index services_by_remind_at on services (remind_at) where remind_at is not null;
analyze services;
