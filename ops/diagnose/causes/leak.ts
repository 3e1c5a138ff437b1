import { megabytes } from "../format.ts";
import { limits } from "../limits.ts";
import { last, metrics, seriesOf, serviceOf } from "../readings.ts";
import type { TimeSeries } from "../snapshot.ts";
import { type Cause, eachApp } from "./types.ts";

export const leak: Cause = {
  title: "Memory leak",
  runbook: "memorygrowing",
  next: ["npm run releases -- APP", "npm run rollback -- APP", "npm run ssh -- HOST sudo pm2 APP reload all"],
  explainedBy: {},
  detect: eachApp((s) =>
    s.app.hosts.flatMap((host) => {
      const memory = serviceOf(s, host)?.memory;
      const evidence: string[] = [];
      let since: number | undefined;
      for (const name of ["heapNow", "heap"] as const)
        for (const [key, series] of Object.entries(metrics(s)[name] ?? {})) {
          const [app, of, worker = "0"] = key.split(" ");
          const grown = floorGrowth(series);
          const span = (series.at(-1)?.[0] ?? 0) - (series[0]?.[0] ?? 0);
          // A heap that was not collected has not shown how much it keeps; the hour has seen collections enough.
          const collected = name === "heap" ? span >= 1800 : (last(seriesOf(s, "collections", key)) ?? 0) > 0;
          if (app !== s.app.name || of !== host || !collected || grown < limits.leak) continue;
          since ??= series[0]?.[0];
          evidence.push(
            `worker ${worker} keeps ${megabytes(grown)} more than ${span.toFixed(0)} s ago, after collections (${megabytes(limits.leak)} is bad)`,
          );
        }
      if (memory && evidence.length > 0)
        evidence.push(
          `the service holds ${megabytes(memory.used)}${memory.limit ? ` of ${megabytes(memory.limit)}, then the kernel ends a worker` : ""}`,
        );
      return evidence.length > 0 ? [{ host, evidence, since }] : [];
    }),
  ),
};

/** How far the floor of a series has grown: from third to third its least value has to grow, else it is 0. */
export function floorGrowth(series: TimeSeries): number {
  if (series.length < 6) return 0;
  const third = series.length / 3;
  const floors = [0, 1, 2].map((i) =>
    Math.min(...series.slice(Math.floor(i * third), Math.floor((i + 1) * third)).map(([, value]) => value)),
  );
  const [first = 0, middle = 0, end = 0] = floors;
  const rise = end - first;
  // A step is a new load, not a leak: each half has to bring a share.
  return middle - first > rise / 5 && end - middle > rise / 5 ? rise : 0;
}
