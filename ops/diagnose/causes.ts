/**
 * The causes that `npm run diagnose` knows, as data: what in a snapshot speaks for each, and which other causes would
 * explain the same, so that a symptom is not taken for a cause. No effects.
 */
import {
  type Balancer,
  type Curve,
  type Failed,
  type Figures,
  type Postgres,
  type Probe,
  type QueryName,
  type Redis,
  type Seen,
  type Snapshot,
  slowStatement,
} from "./snapshot.ts";

/** From where on a figure is bad. Where there is an alert, its bound. */
export const limits = {
  /** Share of PostgreSQL's sessions (alert PoolExhausted). */
  sessions: 0.9,
  /** Seconds that the event loop does nothing else: an answer takes 5 ms here, and 200 ms is where people notice. */
  lag: 0.1,
  /** Share of the probes, or of the samples of PostgreSQL, that have to be bad: a single one may be anything. */
  samples: 0.25,
  /** Seconds for a statement on average (DatabaseSlow). */
  statement: 0.01,
  /** Share of a disk that is free (DiskLow), and below which its trend counts. */
  disk: 0.2,
  diskTrend: 0.5,
  /** Share of the time not let run (CpuThrottled, CpuSteal). */
  held: 0.1,
  /** Share of the time in which a worker waits for a CPU, and more than it has one: its host is out of CPU, or has a quota. */
  waited: 0.2,
  /** Share of what its turn would be. Round robin gives each backend the same to within a request. */
  share: 0.5,
  /** Answers before shares are judged. */
  answers: 50,
  /** Share of a backend's tries. */
  timeouts: 0.01,
  /** Bytes that a heap's floor rises in the window or in the hour; below it is warming up. */
  leak: 32 * 2 ** 20,
  /** Share of the service's MemoryMax. */
  memory: 0.85,
  /** Share of Redis' maxmemory: from there on it refuses writes at any moment. */
  redisMemory: 0.95,
};

export const causeNames = [
  "backend-down",
  "redis-down",
  "database-down",
  "database-login",
  "disk",
  "redis-data",
  "redis-replica",
  "redis-memory",
  "redis-persistence",
  "connections",
  "cpu",
  "slow-queries",
  "leak",
  "starvation",
  "timeouts",
  "uneven",
] as const;
export type CauseName = (typeof causeNames)[number];

/** That a cause is there, on one host or for all. */
export type Evidence = {
  host?: string;
  /** Figures with their bounds, a sentence each. */
  says: string[];
  /** Since when, in seconds since 1970; undefined where nobody knows. */
  since?: number | undefined;
  /** Nothing else explains this one. */
  stands?: boolean;
  /** Commands for exactly this, instead of the cause's. */
  next?: string[];
};

/** A cause: what it is called, what to do about it, and when it is only the consequence of another one. */
export type Cause = {
  title: string;
  /** Section of docs/runbook.md. */
  runbook: string;
  /** Commands; HOST is the evidence's host, DATABASE and BALANCER the first of their group. */
  next: string[];
  /** Causes that explain it, on the same host or anywhere. */
  symptomOf: Partial<Record<CauseName, "here" | "anywhere">>;
  look: (s: Snapshot) => Evidence[];
};

export const causes: Record<CauseName, Cause> = {
  "backend-down": {
    title: "Backend down",
    runbook: "backenddown",
    next: [
      "npm run ssh -- HOST sudo journalctl -u halo -n 50",
      "npm run ssh -- HOST sudo systemctl restart halo",
      "vagrant up HOST",
    ],
    symptomOf: {},
    look: (s) =>
      inRotation(s).flatMap((host) => {
        const seen = seenOf(s, host);
        const since = onset(s, "up", host, (up) => up === 0);
        const fromBalancer = probesOf(s, host);
        if (seen === undefined) {
          if (fromBalancer.length > 0 && fromBalancer.some(isAnswer)) return [];
          return [
            {
              host,
              since,
              says: [
                `it cannot be reached: ${whyNot(s, host)}`,
                `its service is ${describeProbes(fromBalancer)}, asked by the balancer`,
              ],
            },
          ];
        }
        const { service } = seen;
        if (!isThere(service)) return [];
        const { unit, workers, probes } = service;
        const refused = probes.filter((each) => each === "refused").length;
        if (unit.state === "active" && workers > 0 && refused < probes.length / 2) return [];
        const says = [
          `its unit halo is ${unit.state} (${unit.sub}) with ${plural(workers, "worker")}`,
          `${refused} of ${probes.length} connections to it on its own host were refused`,
        ];
        return [{ host, since: unit.state === "active" ? since : unit.since, says }];
      }),
  },
  "redis-down": {
    title: "Redis down",
    runbook: "redisdown",
    next: [
      "npm run ssh -- HOST sudo journalctl -u redis-server -n 50",
      "npm run ssh -- HOST sudo systemctl restart redis-server",
    ],
    symptomOf: { disk: "here", "redis-data": "here", "redis-persistence": "here" },
    look: (s) =>
      inGroup(s, "redis").flatMap((host) => {
        const seen = seenOf(s, host);
        if (seen === undefined) return [{ host, says: [`its host cannot be reached: ${whyNot(s, host)}`] }];
        const { redis } = seen;
        if (redis && "error" in redis) return [{ host, says: [`it does not answer INFO: ${redis.error}`] }];
        if (!redis || redis.answers) return [];
        const { state, sub, since } = redis.unit;
        return [{ host, since, says: [`its unit is ${state} (${sub}), and it does not answer INFO`] }];
      }),
  },
  "database-down": {
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
  },
  "database-login": {
    title: "PostgreSQL refuses the service's login",
    runbook: "postgreslogin",
    next: [
      "cd ansible && ansible-playbook site.yml",
      "npm run ssh -- DATABASE sudo journalctl -u 'postgresql@*' -n 50",
    ],
    symptomOf: {},
    look: (s) => {
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
        const service = seenOf(s, host)?.service;
        const [reason] = ((isThere(service) && service.unready) || "").match(loginRefused) ?? [];
        return reason ? [{ host, says: [`its /readyz answers: ${reason}`, why, ...reported] }] : [];
      });
      if (unready.length > 0) return unready;
      // Where a service is too slow to say so, its server does: it still refuses, and has nobody of the service's.
      return servers.flatMap(({ host, refused, sessions }) => {
        const lasts = refused.last !== null && s.at - refused.last <= Math.max(10, s.window / 4);
        return lasts && !sessions.some(({ app }) => backends.includes(app)) ? [{ host, says: [...reported, why] }] : [];
      });
    },
  },
  disk: {
    title: "Disk filling",
    runbook: "disklow",
    next: [
      "npm run ssh -- HOST sudo du -xhd2 / | sort -h | tail -n 20",
      "npm run ssh -- HOST sudo journalctl --vacuum-size=50M",
    ],
    symptomOf: {},
    look: (s) =>
      s.hosts.flatMap(({ name: host }) => {
        const { disks } = seenOf(s, host) ?? {};
        if (!isThere(disks)) return [];
        return disks.flatMap(({ mount, free, bytes }) => {
          const curve = curveOf(s, "disk", `${host} ${mount}`);
          const soon = last(curveOf(s, "diskSoon", `${host} ${mount}`));
          const old = (curve.at(-1)?.[0] ?? 0) - (curve[0]?.[0] ?? 0) >= 1800; // a shorter trend is none
          const says = [
            `${mount} has ${percent(free)} of ${megabytes(bytes)} free (under ${percent(limits.disk)} is bad)`,
          ];
          if (free < limits.disk)
            return [{ host, says, since: onset(s, "disk", `${host} ${mount}`, (v) => v < limits.disk) }];
          if (!(old && soon !== undefined && soon <= 0 && free < limits.diskTrend)) return [];
          return [{ host, says: [...says, "at the last hour's pace it is full within 4 h"] }];
        });
      }),
  },
  "redis-data": {
    title: "Redis cannot read its data",
    runbook: "redisdown",
    next: ["npm run ssh -- HOST sudo journalctl -u redis-server -n 50", "npm run restore -- FILE"],
    symptomOf: {},
    look: (s) =>
      storesOf(s, "redis").flatMap(({ host, ...redis }) => {
        if (redis.answers && redis.persistence.loading !== "1") return [];
        const damage = damageOf(redis);
        return damage ? [{ host, since: redis.unit.since, ...damage }] : [];
      }),
  },
  "redis-replica": {
    title: "Redis is a replica",
    runbook: "redisrefuses",
    next: [
      "npm run ssh -- HOST sudo halo-redis-cli info replication",
      "npm run ssh -- HOST sudo halo-redis-cli replicaof no one",
    ],
    symptomOf: {},
    look: (s) =>
      storesOf(s, "redis").flatMap(({ host, replicaOf }) =>
        replicaOf ? [{ host, says: [`it follows ${replicaOf}, and refuses every visit (READONLY)`] }] : [],
      ),
  },
  "redis-memory": {
    title: "Redis has no memory left",
    runbook: "redisrefuses",
    next: [
      "npm run ssh -- HOST sudo halo-redis-cli info memory",
      "npm run ssh -- HOST sudo halo-redis-cli --bigkeys",
      "cd ansible && ansible-playbook site.yml # after raising redis_max_memory",
    ],
    symptomOf: {},
    look: (s) =>
      storesOf(s, "redis").flatMap(({ host, memory }) => {
        const { used, limit } = memory ?? { used: 0, limit: 0 };
        if (limit === 0 || used < limits.redisMemory * limit) return [];
        return [
          {
            host,
            says: [
              `it holds ${megabytes(used)} of maxmemory ${megabytes(limit)} (${percent(limits.redisMemory)} is bad), and evicts nothing: it refuses visits (OOM)`,
            ],
          },
        ];
      }),
  },
  "redis-persistence": {
    title: "Redis persistence failing",
    runbook: "redispersistencefailing",
    next: [
      "npm run ssh -- HOST sudo journalctl -u redis-server -n 50",
      "npm run ssh -- HOST sudo ls -ld /var/lib/redis /var/lib/redis/appendonlydir",
      "npm run ssh -- HOST sudo halo-redis-cli bgrewriteaof",
    ],
    symptomOf: { disk: "here", "redis-data": "here" },
    look: (s) =>
      storesOf(s, "redis").flatMap(({ host, persistence, folder, writeErrors }) => {
        const wrong = Object.entries(persistence).filter(([key, value]) => key.endsWith("_status") && value !== "ok");
        const says = wrong.map(([key, value]) => `${key} is ${value} (folder ${folder})`);
        // While it loads the file it is not switched on yet.
        if (persistence.aof_enabled === "0" && persistence.loading !== "1")
          says.push("the append-only file is off: a restart loses visits");
        if (writeErrors > 0)
          says.push(`it has ended itself at ${plural(writeErrors, "write error")} in the last ${s.window} s`);
        const stands = !onFullDisk(s, host, folder); // else it is the disk
        return says.length > 0 ? [{ host, says, stands, since: onset(s, "persistence", host, (ok) => ok === 0) }] : [];
      }),
  },
  connections: {
    title: "Database connections exhausted",
    runbook: "poolexhausted",
    next: [
      `npm run ssh -- HOST "cd /; sudo -u postgres psql halo -c 'SELECT application_name, client_addr, state, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3 ORDER BY 4 DESC'"`,
      `npm run ssh -- HOST "cd /; sudo -u postgres psql halo -c \\"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'WHO'\\""`,
    ],
    symptomOf: {
      "database-login": "anywhere",
      "slow-queries": "anywhere",
      starvation: "anywhere",
      cpu: "anywhere",
    },
    look: (s) =>
      inGroup(s, "postgres").flatMap((host) => {
        const postgres = seenOf(s, host)?.postgres;
        const since = onset(s, "connections", "", (ratio) => ratio >= limits.sessions);
        if (full(postgres))
          return [{ host, since, stands: true, says: [`PostgreSQL refuses its own superuser: ${full(postgres)}`] }];
        if (!isThere(postgres)) return [];
        const { most, sessions } = postgres;
        const used = sum(sessions.map(({ count }) => count));
        const idle = sum(sessions.filter(({ state }) => state.startsWith("idle")).map(({ count }) => count));
        const holders = sessions.toSorted((a, b) => b.count - a.count).slice(0, 3);
        const says = [
          `${used} of ${most} sessions are in use (${percent(limits.sessions)} is bad), ${idle} of them idle`,
          `most are held by ${holders.map(({ app, state, count }) => `${app || "somebody without a name"} (${count} ${state})`).join(", ")}`,
        ];
        // Sessions that do nothing are nobody's consequence.
        if (used >= limits.sessions * most) return [{ host, since, says, stands: idle >= used / 2 }];
        const refused = inGroup(s, "backends").flatMap((name) => {
          const many = last(curveOf(s, "refused", name)) ?? 0;
          return many >= 1
            ? [`${name} has refused ${many.toFixed(0)} requests a connection in the last ${s.window} s`]
            : [];
        });
        return refused.length > 0 ? [{ host, says: [...refused, says[0] as string] }] : [];
      }),
  },
  cpu: {
    title: "CPU withheld (throttling, steal or others on the host)",
    runbook: "cputhrottled",
    next: ["npm run ssh -- HOST systemctl show halo -p CPUQuotaPerSecUSec", "npm run ssh -- HOST vmstat 1 5"],
    // PostgreSQL checks the password of every new try, which takes CPU of hosts that share one machine.
    symptomOf: { "database-login": "anywhere" },
    look: (s) =>
      s.hosts.flatMap(({ name: host }) => {
        const { service, steal } = seenOf(s, host) ?? {};
        const says: string[] = [];
        const bad = (value: number) => value >= limits.held;
        const now = isThere(service) ? service.throttled : 0;
        const before = last(curveOf(s, "throttled", host)) ?? 0;
        const quota = isThere(service) && service.quota ? `, by the quota ${service.quota} us in 100 ms` : "";
        if (bad(now) || bad(before))
          says.push(
            `the service was not let run for ${percent(now)} of these 2 s and ${percent(before)} of the last ${s.window} s (${percent(limits.held)} is bad)${quota}`,
          );
        if (isThere(service) && service.waited >= Math.max(limits.waited, service.cpu))
          says.push(
            `its worker waited for a CPU ${percent(service.waited)} of the time, and had one ${percent(service.cpu)} (${percent(limits.waited)} is bad)`,
          );
        const stolen = last(curveOf(s, "steal", host)) ?? (typeof steal === "number" ? steal : 0);
        if (bad(stolen))
          says.push(
            `the machine below took ${percent(stolen)} of the CPU time (steal; ${percent(limits.held)} is bad)`,
          );
        const since = onset(s, "throttled", host, bad) ?? onset(s, "steal", host, bad);
        return says.length > 0 ? [{ host, says, since }] : [];
      }),
  },
  "slow-queries": {
    title: "Slow queries",
    runbook: "databaseslow",
    next: [
      `npm run ssh -- DATABASE "cd /; sudo -u postgres psql halo -xc 'SELECT pid, application_name, now() - query_start AS since, pg_blocking_pids(pid), query FROM pg_stat_activity ORDER BY query_start LIMIT 5'"`,
      "npm run ssh -- DATABASE sudo journalctl -u 'postgresql@*' -n 50",
    ],
    symptomOf: { "database-down": "anywhere", starvation: "here", cpu: "here" },
    look: (s) => [...inPostgres(s), ...inService(s)],
  },
  leak: {
    title: "Memory leak",
    runbook: "memorygrowing",
    next: ["npm run releases", "npm run rollback", "npm run ssh -- HOST sudo pm2 reload halo"],
    symptomOf: {},
    look: (s) =>
      inGroup(s, "backends").flatMap((host) => {
        const service = seenOf(s, host)?.service;
        const memory = isThere(service) ? service.memory : undefined;
        const says: string[] = [];
        let since: number | undefined;
        for (const name of ["heapNow", "heap"] as const)
          for (const [key, curve] of Object.entries(figures(s)[name] ?? {})) {
            const [of, worker = "0"] = key.split(" ");
            const grown = risen(curve);
            const span = (curve.at(-1)?.[0] ?? 0) - (curve[0]?.[0] ?? 0);
            // A heap that was not collected has not shown what it keeps; the hour has seen collections enough.
            const collected = name === "heap" ? span >= 1800 : (last(curveOf(s, "collections", key)) ?? 0) > 0;
            if (of !== host || !collected || grown < limits.leak) continue;
            since ??= curve[0]?.[0];
            says.push(
              `worker ${worker} keeps ${megabytes(grown)} more than ${span.toFixed(0)} s ago, after collections (${megabytes(limits.leak)} is bad)`,
            );
          }
        const share = memory?.limit ? memory.used / memory.limit : 0;
        if (memory && (share >= limits.memory || says.length > 0))
          says.push(
            `the service holds ${megabytes(memory.used)}${memory.limit ? ` of ${megabytes(memory.limit)}, then the kernel ends a worker` : ""}`,
          );
        return says.length > 0 ? [{ host, says, since }] : [];
      }),
  },
  starvation: {
    title: "Worker starvation (event loop blocked)",
    runbook: "siteslow",
    next: [
      "npm run logs -- HOST",
      "npm run ssh -- HOST sudo top -b -n 1 -u halo",
      "npm run ssh -- HOST sudo pm2 reload halo",
    ],
    symptomOf: { "backend-down": "here", cpu: "here", leak: "here" },
    look: (s) =>
      inGroup(s, "backends").flatMap((host) => {
        const service = seenOf(s, host)?.service;
        const bad = (lag: number) => lag >= limits.lag;
        const lag = last(curveOf(s, "lag", host));
        const probes = isThere(service) ? service.probes : [];
        const late = probes.filter((each) => each === "silent" || (isAnswer(each) && each >= limits.lag));
        const says: string[] = [];
        if (lag !== undefined && bad(lag))
          says.push(`one turn of the event loop in a hundred takes over ${ms(lag)} (${ms(limits.lag)} is bad)`);
        if (late.length > 0 && late.length >= limits.samples * probes.length)
          says.push(
            `${late.length} of ${probes.length} probes on its own host took over ${ms(limits.lag)}, or got no answer`,
          );
        if (says.length === 0) return [];
        if (isThere(service) && service.stopped > 0)
          says.push(`${plural(service.stopped, "worker")} of ${service.workers} stopped by a signal`);
        else if (isThere(service)) says.push(`its busiest worker takes ${percent(service.cpu)} of a CPU`);
        return [{ host, says, since: onset(s, "lag", host, bad) }];
      }),
  },
  timeouts: {
    title: "Upstream timeouts",
    runbook: "siteerrors",
    next: ["npm run ssh -- HOST sudo nft list ruleset", "npm run logs -- HOST", "npm run drain -- HOST"],
    symptomOf: {
      "backend-down": "here",
      starvation: "here",
      cpu: "here",
      leak: "here",
      "slow-queries": "anywhere",
      connections: "anywhere",
    },
    look: (s) =>
      inRotation(s).flatMap((host) => {
        const peer = balancerOf(s)?.peers[host];
        if (!peer || peer.lastTimeout === null) return [];
        // nginx tries a banned backend every 3 s: what lasts shows itself.
        const lasts = s.at - peer.lastTimeout <= Math.max(10, s.window / 4);
        if (!lasts || peer.timeouts < 2 || peer.timeouts < limits.timeouts * peer.tries) return [];
        const service = seenOf(s, host)?.service;
        const says = [
          `${peer.timeouts} of ${peer.tries} tries timed out in the last ${s.window} s (${percent(limits.timeouts)} is bad)`,
        ];
        says.push(
          `/healthz is ${describeProbes(probesOf(s, host))} asked by the balancer${isThere(service) ? `, ${describeProbes(service.probes)} on its own host` : ""}`,
        );
        return [{ host, says, since: onset(s, "timeouts", host, (many) => many >= 1) }];
      }),
  },
  uneven: {
    title: "Uneven balancing",
    runbook: "backendidle",
    next: [
      "npm run ssh -- BALANCER grep -A12 upstream /etc/nginx/nginx.conf",
      "cd ansible && ansible-playbook site.yml",
    ],
    symptomOf: { "backend-down": "anywhere", timeouts: "anywhere", starvation: "anywhere", cpu: "anywhere" },
    look: (s) => {
      const balancer = balancerOf(s);
      const hosts = inRotation(s);
      if (!balancer || hosts.length < 2) return [];
      const peers = hosts.map((host) => ({
        host,
        ...(balancer.peers[host] ?? { answers: 0, timeouts: 0, errors: 0 }),
      }));
      const all = sum(peers.map(({ answers }) => answers));
      const least = peers.toSorted((a, b) => a.answers - b.answers)[0];
      const failing = peers.some(({ timeouts, errors }) => timeouts + errors > 0); // it is ejected for a reason
      if (!least || failing || all < limits.answers || least.answers >= (limits.share * all) / hosts.length) return [];
      const says = [
        `${peers.map(({ host, answers }) => `${host} ${percent(answers / all)}`).join(", ")} of ${all} answers; each should have ${percent(1 / hosts.length)}`,
      ];
      const weights = Object.entries(balancer.weights);
      if (weights.length > 0)
        says.push(`nginx.conf gives ${weights.map(([host, weight]) => `${host} the weight ${weight}`).join(", ")}`);
      return [{ host: least.host, says, since: shareOnset(s, least.host, hosts) }];
    },
  },
};

/** Why Redis cannot read its data, by its own words, and the repair; undefined where it says nothing of that. */
function damageOf({ words, files, folder }: Redis): { says: string[]; next: string[] } | undefined {
  const aof = `${folder}/appendonlydir`;
  const keep = [
    "npm run ssh -- HOST sudo systemctl stop redis-server",
    `npm run ssh -- HOST sudo cp -a ${aof} ${aof}.damaged`,
  ];
  const start = ["npm run ssh -- HOST sudo systemctl start redis-server"];
  const restore = ["npm run restore -- FILE # the newest of .halo/backups, or of /var/backups/halo on HOST"];
  const said = words.map((each) => `it says: ${each}`);
  const has = (pattern: RegExp) => words.find((each) => pattern.test(each));
  if (files.length > 0 && !files.includes("appendonly.aof.manifest"))
    return {
      says: [`${aof} has no manifest, but ${files.join(", ")}: Redis would begin with nothing`, ...said],
      next: [...keep, ...restore],
    };
  if (has(/permission denied/i))
    return {
      says: [`it may not read or write ${folder}`, ...said],
      next: [
        `npm run ssh -- HOST sudo ls -lR ${folder}`,
        `npm run ssh -- HOST sudo chown -R redis:redis ${folder}`,
        ...start,
      ],
    };
  const incr = has(
    /(bad file format|unexpected end of file|unrecoverable error) reading the append only file \S*\.incr\.aof/i,
  );
  const file = incr?.match(/\S*\.incr\.aof/)?.[0];
  if (file)
    return {
      says: [`the end of ${aof}/${file} is damaged`, ...said],
      next: [
        ...keep,
        `npm run ssh -- HOST "yes | sudo redis-check-aof --fix ${aof}/${file}" # says what it cuts off`,
        ...start,
      ],
    };
  return words.length > 0 ? { says: [`${aof} is damaged`, ...said], next: [...keep, ...restore] } : undefined;
}

/** Statements that run long in PostgreSQL's own eyes, and who keeps them waiting. */
function inPostgres(s: Snapshot): Evidence[] {
  return storesOf(s, "postgres").flatMap(({ host, long, samples, longest, blockers, waiting }) => {
    if (samples === 0 || long < limits.samples * samples) return [];
    const says = [`in ${long} of ${samples} samples a statement of the service had run for over ${ms(slowStatement)}`];
    if (longest)
      says.push(`the longest for ${ms(longest.seconds)} (${longest.event ?? "on the CPU"}): ${longest.query}`);
    if (waiting > 0) says.push(`in ${waiting} of ${samples} one waited for a lock`);
    for (const { pid, app, role, state, query } of blockers.slice(0, 1))
      says.push(`which was held by process ${pid} (${role}, ${app || "no name"}, ${state}): ${query}`);
    // A lock of a worker that cannot go on is that worker's doing.
    const holder = blockers[0]?.app;
    const backend = holder !== undefined && inGroup(s, "backends").includes(holder);
    return [{ host: backend ? holder : host, says, since: statementOnset(s) }];
  });
}

/** What the service waits for PostgreSQL: only where every backend that asks does, since one alone is its own matter. */
function inService(s: Snapshot): Evidence[] {
  const means = inGroup(s, "backends").flatMap((host) => {
    const mean = last(curveOf(s, "statement", host));
    return mean === undefined ? [] : [{ host, mean }];
  });
  if (means.length === 0 || means.some(({ mean }) => mean < limits.statement)) return [];
  return means.map(({ host, mean }) => ({
    host,
    says: [`a statement of ${host} takes ${ms(mean)} on average of ${s.window} s (${ms(limits.statement)} is bad)`],
    since: onset(s, "statement", host, (value) => value >= limits.statement),
  }));
}

/** A cause that is there, with all that speaks for it and what it explains. */
export type Finding = {
  cause: CauseName;
  title: string;
  hosts: string[];
  evidence: string[];
  since?: number;
  next: string[];
  runbook: string;
  explains: string[];
};

/** The causes of what a snapshot shows, most likely first: those that explain most, then in the order of their names' list. */
export function diagnose(s: Snapshot): Finding[] {
  const all = causeNames.flatMap((cause) => causes[cause].look(s).map((evidence) => ({ cause, ...evidence })));
  type One = (typeof all)[number];
  const why = (one: One): One | undefined =>
    one.stands
      ? undefined
      : all.find((other) => {
          const where = causes[one.cause].symptomOf[other.cause];
          return where === "anywhere" || (where === "here" && other.host === one.host);
        });
  /** Only what stands by itself explains; a chain of symptoms ends at its root. */
  const root = (one: One, depth = 0): One | undefined => {
    const above = why(one);
    return above && depth < causeNames.length ? (root(above, depth + 1) ?? above) : undefined;
  };
  const findings = causeNames.flatMap((cause): Finding[] => {
    const mine = all.filter((one) => one.cause === cause && !root(one));
    if (mine.length === 0) return [];
    const { title, next, runbook } = causes[cause];
    const hosts = [...new Set(mine.flatMap(({ host }) => host ?? []))];
    const since = mine.flatMap((one) => one.since ?? []).toSorted((a, b) => a - b)[0];
    const explained = all.filter((one) => root(one)?.cause === cause);
    return [
      {
        cause,
        title,
        hosts,
        evidence: mine.flatMap(({ host, says }) => says.map((each) => (hosts.length > 1 ? `${host}: ${each}` : each))),
        ...(since !== undefined && { since }),
        next: mine
          .flatMap(({ host, next: own = next }) => (host ? own.map((each) => fill(each, host, s)) : []))
          .filter((each, i, list) => list.indexOf(each) === i),
        runbook: `docs/runbook.md#${runbook}`,
        explains: [...new Set(explained.map((one) => `${causes[one.cause].title}${one.host ? ` (${one.host})` : ""}`))],
      },
    ];
  });
  return findings.toSorted((a, b) => b.explains.length - a.explains.length);
}

/** What visitors notice, if they do, in one sentence each. */
export function symptoms(s: Snapshot): string[] {
  const balancer = balancerOf(s);
  if (!balancer) return ["the balancer cannot be asked"];
  const { requests, failed, p95 } = balancer;
  const says: string[] = [];
  if (failed > 0.01 * requests)
    says.push(`${percent(failed / requests)} of ${requests} requests got a 5xx (1 % is bad)`);
  if (p95 !== null && p95 > 0.2 && requests >= 20) says.push(`one request in 20 took over ${ms(p95)} (200 ms is bad)`);
  return says;
}

/** What could not be looked at and is no finding's evidence, a sentence each; what Prometheus lacks is in `figures`. */
export function unseen(s: Snapshot, findings: Finding[]): string[] {
  const reported = findings.flatMap(({ evidence }) => evidence).join("\n");
  const parts = s.hosts.flatMap(({ name, seen }): [string, unknown][] =>
    "error" in seen ? [[name, seen]] : Object.entries(seen).map(([part, of]) => [`${part} of ${name}`, of]),
  );
  return parts.flatMap(([what, of]) => {
    const { error } = of as Partial<Failed>;
    return error === undefined || reported.includes(error) || of === s.figures
      ? []
      : [`${what} could not be looked at: ${error}`];
  });
}

const fill = (text: string, host: string, s: Snapshot) =>
  text
    .replaceAll("HOST", host)
    .replaceAll("DATABASE", inGroup(s, "postgres")[0] ?? "")
    .replaceAll("BALANCER", inGroup(s, "balancers")[0] ?? "");

const isThere = <T>(part: T | Failed | undefined): part is Exclude<T, Failed> =>
  part !== undefined && !(typeof part === "object" && part !== null && "error" in part);
/** What PostgreSQL says when it has no session left even for its superuser. */
const full = (part: Postgres | Failed | undefined): string | undefined =>
  part && "error" in part && /too many clients|remaining connection slots/.test(part.error) ? part.error : undefined;
/** The part of /readyz's reason in which PostgreSQL refuses a login or the role's rights: classes 28 and 3D000, and 42501. */
const loginRefused = /postgres: [^;]*\((28...|3D000|42501)\)/;
/** Whether the disk below a folder is one of the bad ones. */
function onFullDisk(s: Snapshot, host: string, folder: string): boolean {
  const { disks } = seenOf(s, host) ?? {};
  const below = isThere(disks)
    ? disks.filter(({ mount }) => `${folder}/`.startsWith(mount === "/" ? "/" : `${mount}/`))
    : [];
  const disk = below.toSorted((a, b) => b.mount.length - a.mount.length)[0];
  return disk !== undefined && disk.free < limits.disk;
}
const isAnswer = (probe: Probe): probe is number => typeof probe === "number";

const inGroup = (s: Snapshot, group: string): string[] =>
  s.hosts.filter(({ groups }) => groups.includes(group)).map(({ name }) => name);
const seenOf = (s: Snapshot, host: string): Seen | undefined => {
  const seen = s.hosts.find(({ name }) => name === host)?.seen;
  return isThere(seen) ? (seen as Seen) : undefined;
};
type Stores = { redis: Redis; postgres: Postgres };
/** The hosts with such a store, each with what it shows; without those of which nothing could be seen. */
const storesOf = <Kind extends keyof Stores>(s: Snapshot, kind: Kind): ({ host: string } & Stores[Kind])[] =>
  inGroup(s, kind).flatMap((host) => {
    const store = seenOf(s, host)?.[kind];
    return isThere(store) ? [{ host, ...(store as Stores[Kind]) }] : [];
  });
const whyNot = (s: Snapshot, host: string): string => {
  const seen = s.hosts.find(({ name }) => name === host)?.seen;
  return seen && "error" in seen ? seen.error : "";
};
const balancerOf = (s: Snapshot): Balancer | undefined =>
  s.hosts.map(({ name }) => seenOf(s, name)?.balancer).find((each): each is Balancer => isThere(each));
const probesOf = (s: Snapshot, host: string): Probe[] => balancerOf(s)?.probes[host] ?? [];
/** A backend that was drained is out of turn on purpose. */
const inRotation = (s: Snapshot): string[] =>
  inGroup(s, "backends").filter((host) => !balancerOf(s)?.drained.includes(host));

const figures = (s: Snapshot): Figures => (isThere(s.figures) ? (s.figures as Figures) : {});
const curveOf = (s: Snapshot, name: QueryName, key: string): Curve => figures(s)[name]?.[key] ?? [];
const last = (curve: Curve): number | undefined => curve.at(-1)?.[1];

/** When the stretch of bad values began in which a curve ends; undefined if it does not end badly. */
export function since(curve: Curve, bad: (value: number) => boolean): number | undefined {
  const good = curve.findLastIndex(([, value]) => !bad(value));
  return curve[good + 1]?.[0];
}
const onset = (s: Snapshot, name: QueryName, key: string, bad: (value: number) => boolean) =>
  since(curveOf(s, name, key), bad);
const statementOnset = (s: Snapshot) =>
  inGroup(s, "backends").flatMap((host) => onset(s, "statement", host, (value) => value >= limits.statement) ?? [])[0];

function shareOnset(s: Snapshot, host: string, hosts: string[]): number | undefined {
  const others = hosts.filter((each) => each !== host).map((each) => new Map(curveOf(s, "share", each)));
  const share = curveOf(s, "share", host).map(([at, value]): [number, number] => {
    const all = value + sum(others.map((each) => each.get(at) ?? 0));
    return [at, all > 0 ? (value / all) * hosts.length : 1];
  });
  return since(share, (value) => value < limits.share);
}

/** How far the floor of a curve has risen: from third to third its least value has to grow, else it is 0. */
export function risen(curve: Curve): number {
  if (curve.length < 6) return 0;
  const third = curve.length / 3;
  const floors = [0, 1, 2].map((i) =>
    Math.min(...curve.slice(Math.floor(i * third), Math.floor((i + 1) * third)).map(([, value]) => value)),
  );
  const [first = 0, middle = 0, end = 0] = floors;
  const rise = end - first;
  // A step is a new load, not a leak: each half has to bring a share.
  return middle - first > rise / 5 && end - middle > rise / 5 ? rise : 0;
}

const sum = (values: number[]): number => values.reduce((all, each) => all + each, 0);
const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
const ms = (seconds: number): string => `${(seconds * 1000).toFixed(0)} ms`;
const megabytes = (bytes: number): string =>
  bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : `${(bytes / 2 ** 20).toFixed(0)} MiB`;
const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? "" : "s"}`;
function describeProbes(probes: Probe[]): string {
  if (probes.length === 0) return "not asked";
  const answers = probes.filter(isAnswer);
  if (answers.length > probes.length / 2)
    return `answered in ${ms(answers.toSorted((a, b) => a - b)[answers.length >> 1] ?? 0)}`;
  return String(probes.find((each) => !isAnswer(each)));
}
