import { megabytes, percent, plural } from "../format.ts";
import { limits } from "../limits.ts";
import { serviceOf } from "../readings.ts";
import { type Cause, eachApp } from "./types.ts";

export const memory: Cause = {
  title: "App short of memory",
  runbook: "appmemory",
  next: [
    "npm run logs -- APP",
    "npm run ssh -- HOST sudo pm2 APP reload all",
    "npm run up # after raising memory of APP in ansible/group_vars/all/apps.yml",
  ],
  explainedBy: { leak: "here" },
  detect: eachApp((s) =>
    s.app.hosts.flatMap((host) => {
      const { memory, oomKills = 0 } = serviceOf(s, host) ?? {};
      const evidence: string[] = [];
      if (oomKills > 0)
        evidence.push(
          `the kernel has ended processes of it for want of memory, ${plural(oomKills, "time")} in the last ${s.window} s (OOM)`,
        );
      if (memory?.limit && memory.used >= limits.memory * memory.limit)
        evidence.push(
          `it holds ${megabytes(memory.used)} of ${megabytes(memory.limit)} (${percent(limits.memory)} is bad), then the kernel ends a worker`,
        );
      return evidence.length > 0 ? [{ host, evidence }] : [];
    }),
  ),
};
