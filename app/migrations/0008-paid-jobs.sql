-- Until now a job that was done counted as earned. By itself, because 0007 locks the table against every reader until its end.
update services set paid_at = completed_at where status = 'done';
