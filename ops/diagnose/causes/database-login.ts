import { plural } from "../format.ts";
import { databasesOf, serviceOf } from "../readings.ts";
import { type Cause, eachApp } from "./types.ts";

/** The part of /readyz's reason in which PostgreSQL refuses a login or the role's rights: classes 28 and 3D000, and 42501. */
const loginRefused = /postgres: [^;]*\((28...|3D000|42501)\)/;

export const databaseLogin: Cause = {
  title: "PostgreSQL refuses the service's login",
  runbook: "postgreslogin",
  next: ["npm run up", "npm run ssh -- DATABASE sudo journalctl -u 'postgresql@*' -n 50"],
  explainedBy: {},
  detect: eachApp((s) => {
    const { hosts, database } = s.app;
    const servers = databasesOf(s);
    const reported = servers.flatMap(({ refused }) =>
      Object.entries(refused.words).map(
        ([words, count]) => `PostgreSQL has refused ${plural(count, "login")} in the last ${s.window} s: ${words}`,
      ),
    );
    const file = database === "halo" ? "postgres_halo" : `apps/${s.app.name}/postgres-password`;
    const why = `the password or the rights of the role ${database} are not those of the service's settings (.halo/secrets/${file})`;
    const unready = hosts.flatMap((host) => {
      const [reason] = (serviceOf(s, host)?.unready ?? "").match(loginRefused) ?? [];
      return reason ? [{ host, evidence: [`its /readyz answers: ${reason}`, why, ...reported] }] : [];
    });
    if (unready.length > 0) return unready;
    // Where a service is too slow to say so, its server does: it still refuses, and has nobody of the service's.
    return servers.flatMap(({ host, role, refused, sessions }) => {
      const lasts = refused.last !== null && s.at - refused.last <= Math.max(10, s.window / 4);
      return lasts && !sessions.some((session) => session.role === role)
        ? [{ host, evidence: [...reported, why] }]
        : [];
    });
  }),
};
