import { plural } from "../format.ts";
import { limits } from "../limits.ts";
import { inGroup, last, metrics, onset } from "../readings.ts";
import type { Cause } from "./types.ts";

export const certificate: Cause = {
  title: "Certificate expiring",
  runbook: "certificateexpiring",
  next: ["npm run up", "npm run verify"],
  explainedBy: {},
  detect: (s) =>
    Object.entries(metrics(s).certificate ?? {}).flatMap(([site, series]) => {
      const left = last(series);
      const host = inGroup(s, "balancers")[0];
      const bound = last(metrics(s).certificateBound?.[site] ?? []) ?? limits.certificate;
      if (left === undefined || left >= bound || host === undefined) return [];
      const days = plural(Math.floor(Math.abs(left)), "day");
      const evidence =
        left < 0
          ? `the certificate of ${site} has expired ${days} ago, and browsers refuse the site`
          : `the certificate of ${site} is valid for ${days} more (under ${Number(bound.toFixed(1))} is bad)`;
      return [{ host, evidence: [evidence], since: onset(s, "certificate", site, (days) => days < bound) }];
    }),
};
