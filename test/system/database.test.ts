import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { findHost, ssh } from "../../ops/cluster/hosts.ts";
import { inGroup } from "../../ops/cluster/inventory.ts";
import { portOf } from "../../ops/cluster/services.ts";
import { root } from "../../ops/lib/paths.ts";
import { quote, textOf } from "../../ops/lib/script.ts";
import { app, current, haloRelease, releases } from "../lib/app.ts";
import { ansible, backends, explainByJournals, must, on, sh, until } from "../lib/hosts.ts";
import { knock, request, visit } from "../lib/http.ts";
import { atNight } from "../lib/night.ts";
import { deploy, pack } from "../lib/releases.ts";

beforeEach(explainByJournals);
const [server] = inGroup("postgres");
const host = server?.name ?? "";
const [first = ""] = backends;
const here = mkdtempSync(join(tmpdir(), "halo-database-test-"));
const mark = `database.test-${Date.now().toString(36)}`; // in every row of these tests

/** PostgreSQL's answer to its superuser. */
const sql = (text: string, database = "halo") =>
  on(host, `cd /; runuser -u postgres -- psql -qAtX -v ON_ERROR_STOP=1 ${database} -c "${text}"`);
const unit = () => on(host, "systemctl list-units --plain --no-legend 'postgresql@*' | cut -d ' ' -f 1");
afterAll(async () => {
  rmSync(here, { recursive: true });
  await sql(`DELETE FROM workshop.customers WHERE name LIKE '${mark}%'`);
  await sql(`DELETE FROM workshop.idempotency_keys WHERE key LIKE '${mark}%'`);
});

let made = 0;
/** Asks for one customer; the same key is the same customer. */
const create = (key = `${mark} ${++made}`) =>
  request(
    "/api/customers",
    { method: "POST", headers: { "Content-Type": "application/json", "Idempotency-Key": key } },
    JSON.stringify({ name: key, phone: "0800 000" }),
  );
const created = async () => {
  const answer = await create();
  expect(answer.status, answer.body).toBe(201);
  return JSON.parse(answer.body) as { id: number; name: string };
};

describe("the rights of each role", () => {
  test("only backends reach it, only with the password, and never as the superuser", async () => {
    const { address = "" } = server ?? {};
    const port = portOf("postgres");
    expect(await knock(address, port)).toBe("silent");
    const open = `timeout 2 bash -c 'exec 3<>/dev/tcp/${address}/${port}'`;
    expect((await sh(ssh(findHost(first), open))).code).toBe(0);
    expect(await on(host, `ss -Htln sport = :${port} | awk '{print $4}'`)).toBe(`${address}:${port}`);

    // The service's own packages, on a backend, as somebody who knows another password or another user's name.
    const ask = (user: string, password: string) =>
      on(
        first,
        `cd ${current}; set -a; . ${app.settings}; PGUSER=${user} PGPASSWORD=${password} /opt/halo/runtime/current/bin/node --input-type=module-typescript --eval ${quote(textOf(new URL("programs/login.ts", import.meta.url)))}`,
      );
    expect(await ask("halo", "$PGPASSWORD")).toBe("in");
    expect(await ask("halo", "wrong")).toMatch(/password authentication failed/);
    expect(await ask("postgres", "$PGPASSWORD")).toMatch(/no pg_hba.conf entry/);
  });

  test.each([
    "CREATE TABLE workshop.mine ()",
    "CREATE TABLE public.mine ()",
    "CREATE SCHEMA mine",
    "CREATE TEMPORARY TABLE mine ()",
    "DROP TABLE workshop.customers",
    "ALTER TABLE workshop.customers ADD mine text",
    "CREATE INDEX ON workshop.customers (name)",
    "TRUNCATE workshop.customers",
    "DELETE FROM workshop.migrations",
    "SET ROLE halo_owner",
    "COPY workshop.customers TO PROGRAM 'true'",
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, 'x')",
  ])("the service's role may not: %s", async (statement) => {
    const said = await on(
      host,
      `cd /; runuser -u postgres -- psql -qAtX halo -c 'SET SESSION AUTHORIZATION halo' -c "${statement}" 2>&1 || true`,
    );
    expect(said).toMatch(/permission denied|must be/);
  });

  test("its password is in no process list, unit or journal", async () => {
    const secret = await on(first, `. ${app.settings}; echo "$PGPASSWORD"`);
    expect(secret.length).toBeGreaterThan(20);
    const lines = await on(
      host,
      "ps auxeww; journalctl --no-pager -u 'postgresql@*'; cat /etc/postgresql/*/main/*.conf",
    );
    expect(lines).not.toContain(secret);
  });
});

test("acknowledged writes are on disk, with checksums; a connection for every worker, twice", async () => {
  const ask = "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings WHERE name IN";
  expect(await sql(`${ask} ('data_checksums','fsync','full_page_writes','synchronous_commit')`)).toBe(
    "data_checksums=on fsync=on full_page_writes=on synchronous_commit=on",
  );
  expect(Number(await sql("SHOW max_connections"))).toBe(Math.max(100, backends.length * 8 * 2 + 20));
});

atNight("too few connections are refused, with the number that is needed", async () => {
  const { code, output } = await ansible(
    ...["site.yml", "--limit", `${host},localhost`, "--extra-vars", "postgres_max_connections=20"],
  );
  expect(code).toBe(2);
  expect(output).toMatch(/postgres_max_connections is 20, and 52 are needed: 2 backends/);
});

test("stopped: 503 within 1 s that says when to come back, visits go on; started: rows again, without a restart of the service", async () => {
  const workers = () => on(first, `pgrep ${app.workers}`);
  const row = await created();
  const before = await workers();
  await on(host, `systemctl stop ${await unit()}`);
  try {
    for (let i = 0; i < 6; i++) {
      const { status, headers, ms } = await create();
      expect([status, headers["content-type"]]).toEqual([503, expect.stringContaining("application/problem+json")]);
      expect(Number(headers["retry-after"])).toBeGreaterThan(0);
      expect(ms).toBeLessThan(1000);
    }
    expect((await visit()).status).toBe(200);
  } finally {
    await on(host, "systemctl start $(ls /etc/systemd/system | sed -n s/.service.d//p | grep ^postgresql@)");
  }
  await until("a row is written again", 3000, async () => (await create()).status === 201);
  expect((await request(`/api/customers/${row.id}`)).status).toBe(200);
  expect(await workers()).toBe(before);
});

describe("migrations", () => {
  const serving = async () => Promise.all(backends.map((name) => on(name, `cat ${current}/RELEASE`)));
  /** A release with one more migration, or another text of one. */
  const migrating = (name: string, file: string, text: string) =>
    pack(name, (folder) => {
      mkdirSync(join(folder, "migrations"), { recursive: true });
      writeFileSync(join(folder, "migrations", file), text);
    });
  const applied = () => sql("SELECT string_agg(name, ' ' ORDER BY name) FROM workshop.migrations");
  const log = async () => JSON.parse(await on("balancer", "tail -n 1 /var/lib/halo-cluster/deploys.log"));

  const wrong: [string, string, string, RegExp][] = [
    [
      "fails",
      "9999-wrong.sql",
      "CREATE TABLE half_done ();\nSELECT nothing;\n",
      /9999-wrong\.sql: ERROR: +column "nothing" does not exist\s+LINE 2: SELECT nothing;/,
    ],
    [
      "was changed after it was applied",
      "0001-workshop.sql",
      "SELECT 1;\n",
      /0001-workshop\.sql differs from the text that release/,
    ],
  ];

  test.each(wrong)("halo-migrate refuses one that %s, and the database is as before", async (_, file, text, words) => {
    const before = await applied();
    const refused = on(
      host,
      `cd "$(mktemp -d)"; cp -r ${app.root}/migrated/migrations .; printf %s ${quote(text)} >migrations/${file}; halo-migrate . of-the-test`,
    );
    await expect(refused).rejects.toThrow(words);
    expect(await applied()).toBe(before);
    expect(await sql("SELECT to_regclass('workshop.half_done')")).toBe("");
  });

  atNight.each(wrong)(
    "one that %s: nothing is switched, and the database is as before",
    async (name, file, text, words) => {
      const before = [await serving(), await applied()];
      const release = await migrating(name.split(" ")[0] ?? "", file, text);
      const { code, output } = await deploy(release);
      expect(code).not.toBe(0);
      expect(output).toMatch(words);
      expect([await serving(), await applied()]).toEqual(before);
      expect(await sql("SELECT to_regclass('workshop.half_done')")).toBe("");
      expect(await log()).toMatchObject({ release: release.id, result: expect.stringContaining(`failed on ${host}`) });
      expect(await on("balancer", "ls /var/lib/halo-cluster")).not.toContain("deploy.lock");
      for (const backend of backends) expect(await on(backend, `${haloRelease} list`)).not.toContain(release.id);
      expect((await create()).status).toBe(201);
    },
  );

  test("one that has to wait says for whom, for a bounded time, and leaves nothing", async () => {
    const before = await applied();
    /** The output of halo-migrate for a migration that needs a table for itself. */
    const migrate = (more = "") =>
      on(
        host,
        `cd "$(mktemp -d)"; mkdir migrations; echo 'LOCK TABLE customers IN ACCESS EXCLUSIVE MODE' >migrations/9001-wait.sql; ${more} halo-migrate . of-the-test 2>&1 && echo applied || true`,
      );
    const holding = sql("SET application_name = 'holder'; BEGIN; LOCK TABLE workshop.customers; SELECT pg_sleep(60)");
    holding.catch(() => {}); // it is ended below
    const locks =
      "SELECT count(*) FROM pg_locks WHERE relation = 'workshop.customers'::regclass AND mode ~ '^AccessExcl'";
    try {
      await until("the table is locked", 10_000, async () => (await sql(locks)) === "1");
      const said = await migrate();
      const holder = /process \d+ \(role postgres, holder, active\) since \d+ s: /;
      expect(said).toMatch(new RegExp(`9001-wait.sql waits \\(at most 5 s for a lock\\) for ${holder.source}`));
      expect(said).toMatch(new RegExp(`nothing of 9001-wait.sql remains.\\s.*Fix: it waited for ${holder.source}`));
    } finally {
      await sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'");
    }
    const unit = "systemd-run --quiet --collect --unit=halo-test-lock";
    await on(
      host,
      `${unit} flock /run/halo-migrate-halo.lock sh -c 'echo somebody >/run/halo-migrate-halo.lock; sleep 60'`,
    );
    try {
      await until(
        "the lock is taken",
        10_000,
        async () => (await on(host, "cat /run/halo-migrate-halo.lock")) === "somebody",
      );
      const said = await migrate("HALO_MIGRATE_WAIT_SECONDS=2");
      expect(said).toMatch(/another halo-migrate has been at work for 2 s: somebody\n.*Fix: /);
    } finally {
      await on(host, "systemctl stop halo-test-lock");
    }
    expect(await applied()).toBe(before);
  });

  atNight(
    "a right one is applied before the release serves, the service may use it, and the release before is compatible with it",
    async () => {
      const [before] = await serving();
      const release = await migrating(
        "right",
        "9000-test.sql",
        "CREATE TABLE of_the_test (id bigint GENERATED ALWAYS AS IDENTITY, note text);\n",
      );
      try {
        const { code, output } = await deploy(release);
        expect(code, output).toBe(0);
        expect(await serving()).toEqual(backends.map(() => release.id));
        expect(await applied()).toContain("9000-test.sql");
        await sql("SET ROLE halo; INSERT INTO workshop.of_the_test (note) VALUES ('row')");
        const back = await sh(["npm", "run", "-s", "rollback", "--", before ?? ""]);
        expect(back.code, back.output).toBe(0);
        await created();
        await must(["npm", "run", "-s", "verify"]);
      } finally {
        await sql("DROP TABLE IF EXISTS workshop.of_the_test");
        await sql("DELETE FROM workshop.migrations WHERE name = '9000-test.sql'");
        await on(host, `ln -sfn ${releases}/${before} ${app.root}/migrated`);
        // No later test and no rollback takes it for a release like another.
        rmSync(release.file, { force: true });
        for (const backend of backends) await on(backend, `${haloRelease} reject ${release.id}`);
      }
    },
  );
});

describe("a backup", () => {
  /** Every row of every table, as one sum each. */
  const rows = async (database = "halo") => {
    const tables = (
      await sql("SELECT tablename FROM pg_tables WHERE schemaname = 'workshop' ORDER BY 1", database)
    ).split("\n");
    const sums = tables.map(
      (name) => `SELECT '${name}', count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM workshop.${name} t`,
    );
    return await sql(sums.join(" UNION ALL "), database);
  };
  const backup = async () => {
    const said = await must(["ops/run", "backup"]);
    const [, file = "", count] = said.match(/^(\S+\.tar): \d+ visits, (\d+) rows, \d+ bytes$/m) ?? [];
    return { file: join(root, file), count: Number(count) };
  };
  const restore = (file: string) => sh(["ops/run", "restore", file, "--yes"]);

  test("restored after everything was dropped: the same rows, rights and numbers; the data from meanwhile is kept", async () => {
    await created();
    const before = await rows();
    const { file, count } = await backup();
    expect(count).toBeGreaterThan(0);
    const { id, name } = await created();
    await sql(`DELETE FROM workshop.customers WHERE name LIKE '${mark}%' AND id <> ${id}`);
    await sql("DROP TABLE workshop.services CASCADE");

    const { code, output } = await restore(file);
    expect([code, output]).toEqual([0, expect.stringContaining(`restored: ${count} rows`)]);
    expect(await rows()).toBe(before);
    expect((await created()).name).toContain(mark);
    expect((await request("/api/services")).status).toBe(200);

    const kept = output.match(/^safety backup of \d+ rows: (\S+)$/m)?.[1] ?? "";
    await on(host, `tar -xOf ${kept} postgres.dump >/run/test.dump; chmod 644 /run/test.dump`);
    expect(
      await on(host, "cd /; runuser -u postgres -- pg_restore -f - -a -t customers </run/test.dump; rm /run/test.dump"),
    ).toContain(name);
    expect(await sql("SELECT datname FROM pg_database WHERE datname LIKE 'halo%'", "postgres")).toBe("halo");
    await must(["npm", "run", "-s", "verify"]);
    rmSync(file);
  });

  atNight(
    "restored under writes: every acknowledged write is in the restored database or in the kept one",
    async () => {
      const { file } = await backup();
      const names: string[] = [];
      let running = true;
      const writer = (async () => {
        while (running) {
          const answer = await create();
          if (answer.status === 201) names.push(JSON.parse(answer.body).name);
          else expect([answer.status, answer.ms < 1000]).toEqual([503, true]);
        }
      })();
      const { code, output } = await restore(file);
      const soFar = names.length;
      await until("writes go on", 5000, async () => names.length > soFar + 5).finally(() => {
        running = false;
      });
      await writer;
      expect([code, output]).toEqual([0, expect.stringContaining("restored:")]);
      const kept = output.match(/^safety backup of \d+ rows: (\S+)$/m)?.[1] ?? "";
      const dumped = await on(
        host,
        `tar -xOf ${kept} postgres.dump >/run/test.dump; chmod 644 /run/test.dump; cd /; runuser -u postgres -- pg_restore -f - -a -t customers </run/test.dump; rm /run/test.dump`,
      );
      const there = new Set([...dumped.matchAll(new RegExp(`${mark} \\d+`, "g"))].map(([name]) => name));
      for (const name of (await sql("SELECT name FROM workshop.customers")).split("\n")) there.add(name);
      expect(names.length).toBeGreaterThan(20);
      expect(names.filter((name) => !there.has(name))).toEqual([]);
      rmSync(file);
    },
  );

  test("is refused where the migrations that it should get are not on the host", async () => {
    const migrated = await on(host, `readlink ${app.root}/migrated`);
    await on(host, `ln -sfn ${releases}/gone ${app.root}/migrated`);
    try {
      await expect(on(host, "halo-backup create")).rejects.toThrow(`${releases}/gone, whose migrations`);
    } finally {
      await on(host, `ln -sfn ${migrated} ${app.root}/migrated`);
    }
  });

  atNight(
    "from before there was PostgreSQL leaves its rows alone; one that PostgreSQL cannot read changes nothing",
    async () => {
      const { file } = await backup();
      await created();
      const before = await rows();
      const bad = join(here, "bad.tar");
      const spoil =
        "echo PGDMPx >postgres.dump; sha256sum redis.rdb postgres.dump >SHA256SUMS; tar -cf bad.tar redis.rdb postgres.dump SHA256SUMS";
      await must(["sh", "-c", `cd ${here} && tar -xf ${file} && ${spoil}`]);
      const total = await on("balancer", "halo-redis-cli get total_visits");
      const refused = await restore(bad);
      expect([refused.code, refused.output]).toEqual([1, expect.stringContaining("PostgreSQL cannot load it")]);
      expect([await rows(), await on("balancer", "halo-redis-cli get total_visits")]).toEqual([before, total]);

      const old = join(here, "old.tar");
      await must(["sh", "-c", `cd ${here} && sha256sum redis.rdb >SHA256SUMS && tar -cf old.tar redis.rdb SHA256SUMS`]);
      const { code, output } = await restore(old);
      expect([code, output]).toEqual([0, expect.stringContaining("no data of PostgreSQL")]);
      expect(await rows()).toBe(before);
      rmSync(file);
    },
  );
});
