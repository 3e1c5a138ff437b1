-- By itself, because 0009 locks the table against every reader until its end. This and the next two have the few jobs of one question each:
-- the revenue of a month, the jobs that wait for their payment, the customers to remind.
create index services_by_paid_at on services (paid_at) include (price) where paid_at is not null;
