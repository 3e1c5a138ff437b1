DO $$ BEGIN
  FOR i IN 1..2 * current_setting('halo.seconds')::int LOOP
    -- Half a second in all. This comment is no first line because diagnose shows the statement's first 80 characters.
    LOCK TABLE workshop.customers IN ACCESS EXCLUSIVE MODE;
    PERFORM pg_sleep(0.4);
    COMMIT;
    PERFORM pg_sleep(0.1);
  END LOOP;
END $$;
