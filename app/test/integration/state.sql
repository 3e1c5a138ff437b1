-- Every relation and function that a migration could have made, and the names of the applied ones.
SELECT oid::regclass::text AS name FROM pg_class WHERE relnamespace IN ('workshop'::regnamespace, 'public'::regnamespace)
UNION ALL SELECT name FROM migrations
UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'workshop'::regnamespace
ORDER BY 1;
