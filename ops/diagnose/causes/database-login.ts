import { plural } from "../format.ts";
import { inGroup, isAvailable, reportOf, storesOf } from "../readings.ts";
import type { Cause } from "./types.ts";

/** The part of /readyz's reason in which PostgreSQL refuses a login or the role's rights: classes 28 and 3D000, and 42501. */
const loginRefused = /postgres: [^;]*\((28...|3D000|42501)\)/;

export const databaseLogin: Cause = {
  title: "PostgreSQL refuses the service's login",
  runbook: "postgreslogin",
  next: ["cd ansible && ansible-playbook site.yml", "npm run ssh -- DATABASE sudo journalctl -u 'postgresql@*' -n 50"],
  explainedBy: {},
  detect: (s) => {
    const backends = inGroup(s, "backends");
    const servers = storesOf(s, "postgres");
    const reported = servers.flatMap(({ refused }) =>
      Object.entries(refused.words).map(
        ([words, count]) => `PostgreSQL has refused ${plural(count, "login")} in the last ${s.window} s: ${words}`,
      ),
    );
    const why =
      "the password or the rights of the role halo are not those of the service's settings (.halo/secrets/postgres_halo)";
    const unready = backends.flatMap((host) => {
      const service = reportOf(s, host)?.service;
      const [reason] = ((isAvailable(service) && service.unready) || "").match(loginRefused) ?? [];
      return reason ? [{ host, evidence: [`its /readyz answers: ${reason}`, why, ...reported] }] : [];
    });
    if (unready.length > 0) return unready;
    // Where a service is too slow to say so, its server does: it still refuses, and has nobody of the service's.
    return servers.flatMap(({ host, refused, sessions }) => {
      const lasts = refused.last !== null && s.at - refused.last <= Math.max(10, s.window / 4);
      return lasts && !sessions.some(({ app }) => backends.includes(app))
        ? [{ host, evidence: [...reported, why] }]
        : [];
    });
  },
};
