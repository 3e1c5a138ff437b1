import { full, inGroup, isAvailable, reportOf, whyNot } from "../readings.ts";
import type { Cause } from "./types.ts";

export const databaseDown: Cause = {
  title: "PostgreSQL down",
  runbook: "postgresdown",
  store: "postgres",
  next: [
    "npm run ssh -- HOST sudo journalctl -u 'postgresql@*' -n 50",
    "npm run ssh -- HOST sudo systemctl start 'postgresql@*'",
  ],
  explainedBy: { disk: "here" },
  detect: (s) =>
    inGroup(s, "postgres").flatMap((host) => {
      const report = reportOf(s, host);
      if (report === undefined) return [{ host, evidence: [`its host cannot be reached: ${whyNot(s, host)}`] }];
      const { postgres } = report;
      if (postgres === undefined || isAvailable(postgres) || full(postgres)) return [];
      return [{ host, evidence: [`it lets nobody in: ${postgres.error}`] }];
    }),
};
