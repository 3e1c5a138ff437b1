import { full, inGroup, isThere, seenOf, whyNot } from "../readings.ts";
import type { Cause } from "./types.ts";

export const databaseDown: Cause = {
  title: "PostgreSQL down",
  runbook: "postgresdown",
  next: [
    "npm run ssh -- HOST sudo journalctl -u 'postgresql@*' -n 50",
    "npm run ssh -- HOST sudo systemctl start 'postgresql@*'",
  ],
  symptomOf: { disk: "here" },
  look: (s) =>
    inGroup(s, "postgres").flatMap((host) => {
      const seen = seenOf(s, host);
      if (seen === undefined) return [{ host, says: [`its host cannot be reached: ${whyNot(s, host)}`] }];
      const { postgres } = seen;
      if (postgres === undefined || isThere(postgres) || full(postgres)) return [];
      return [{ host, says: [`it lets nobody in: ${postgres.error}`] }];
    }),
};
