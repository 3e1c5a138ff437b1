-- Ends the service's sessions until the program exhaustConnections.ts, which is halo-fault here, has nearly all of them.
DO $$ BEGIN
  FOR i IN 1..100 LOOP
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'halo' AND application_name <> 'halo-fault';
    PERFORM pg_sleep(0.1);
    PERFORM pg_stat_clear_snapshot();
    EXIT WHEN (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'halo-fault') >=
      current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int - 8;
  END LOOP;
END $$;
