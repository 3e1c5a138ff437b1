-- Locks the customers for 0.4 s of each half second, for so many seconds as halo.seconds says.
DO $$ BEGIN
  FOR i IN 1..2 * current_setting('halo.seconds')::int LOOP
    LOCK TABLE workshop.customers IN ACCESS EXCLUSIVE MODE;
    PERFORM pg_sleep(0.4);
    COMMIT;
    PERFORM pg_sleep(0.1);
  END LOOP;
END $$;
