import { megabytes, percent } from "../format.ts";
import { limits } from "../limits.ts";
import { isAvailable, last, onset, reportOf, seriesOf } from "../readings.ts";
import type { Cause } from "./types.ts";

export const disk: Cause = {
  title: "Disk filling",
  runbook: "disklow",
  next: [
    "npm run ssh -- HOST sudo du -xhd2 / | sort -h | tail -n 20",
    "npm run ssh -- HOST sudo journalctl --vacuum-size=50M",
  ],
  explainedBy: {},
  detect: (s) =>
    s.hosts.flatMap(({ name: host }) => {
      const { disks } = reportOf(s, host) ?? {};
      if (!isAvailable(disks)) return [];
      return disks.flatMap(({ mount, free, bytes }) => {
        const series = seriesOf(s, "disk", `${host} ${mount}`);
        const soon = last(seriesOf(s, "diskSoon", `${host} ${mount}`));
        const old = (series.at(-1)?.[0] ?? 0) - (series[0]?.[0] ?? 0) >= 1800; // a shorter trend is none
        const evidence = [
          `${mount} has ${percent(free)} of ${megabytes(bytes)} free (under ${percent(limits.disk)} is bad)`,
        ];
        if (free < limits.disk)
          return [{ host, evidence, since: onset(s, "disk", `${host} ${mount}`, (v) => v < limits.disk) }];
        if (!(old && soon !== undefined && soon <= 0 && free < limits.diskTrend)) return [];
        return [{ host, evidence: [...evidence, "at the last hour's pace it is full within 4 h"] }];
      });
    }),
};
