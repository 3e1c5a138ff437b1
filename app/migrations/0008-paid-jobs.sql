-- Until now a job that was done counted as earned. To the minute, as the form shows it. By itself, because 0007 locks the table against every
-- reader until its end.
update services set paid_at = date_trunc('minute', completed_at) where status = 'done';
