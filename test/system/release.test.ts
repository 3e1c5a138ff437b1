import { existsSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inGroup } from "../../ops/cluster/inventory.ts";
import { urlOf } from "../../ops/cluster/sites.ts";
import { localPath } from "../../ops/lib/paths.ts";
import { quote, shellScript, textOf } from "../../ops/lib/script.ts";
import { app, current, haloRelease, releases } from "../lib/app.ts";
import { ansible, backends, explainByJournals, must, on, sh, until } from "../lib/hosts.ts";
import { balancerAddress, counter, domain, request, visit } from "../lib/http.ts";
import { atNight, wholeNight } from "../lib/night.ts";
import { deploy, pack } from "../lib/releases.ts";

beforeEach(explainByJournals);
const npm = (...args: string[]) => sh(["npm", "run", "-s", ...args]);
const [first = "", second = ""] = backends;
const database = inGroup("postgres")[0]?.name ?? "";
const minutes = 60_000;

/** The release that each backend serves, by its name. */
async function serving(): Promise<Record<string, string>> {
  const ids = await Promise.all(backends.map((name) => on(name, `cat ${current}/RELEASE`)));
  return Object.fromEntries(backends.map((name, i) => [name, ids[i] ?? ""]));
}
const one = (releases: Record<string, string>): string => {
  const ids = [...new Set(Object.values(releases))];
  expect(ids).toHaveLength(1);
  return ids[0] ?? "";
};
const log = async () =>
  (await on("balancer", "cat /var/lib/halo-cluster/deploys.log")).split("\n").map((line) => JSON.parse(line));
const noLock = async () => expect(await on("balancer", "ls /var/lib/halo-cluster")).not.toContain("deploy.lock");

/** Whether a line of `systemctl show` is a setting of the sandbox. */
const sandbox = (line: string) =>
  /^(User|Group|UMask|NoNew|Capab|Ambient|Protect|Private|Restrict[A-Z]|SystemCall|LockP|MemoryMax|ProcS|RemoveI|Device|.*Paths)=?/.test(
    line,
  );

/** Packs the newest release with another file in it, under an id of its own. */
const broken = (name: string, file: string, text: string) =>
  pack(name, (folder) => writeFileSync(join(folder, file), text));

test("a deploy takes every backend to one new release, which each answer names; it is logged with who and why", async () => {
  const before = one(await serving());
  const killed = localPath("releases", app.name, ".making-killed");
  mkdirSync(join(killed, "app"), { recursive: true });
  utimesSync(killed, 0, 0);
  const evil = join(tmpdir(), `halo-evil-${process.pid}`);
  const message = `{{ lookup("pipe","touch ${evil}") }} {% if ' "$(touch ${evil})" % ä`;
  const { code, output } = await npm("deploy", "--", "--message", message);
  expect(code, output).toBe(0);
  expect(existsSync(killed)).toBe(false);
  const after = one(await serving());
  expect(after > before).toBe(true);
  // Node loads none of these; with them a release has twice the files.
  expect(
    await on(first, `find -L ${current}/node_modules -type f -regextype posix-extended -regex '.*[.](ts|mts|cts|map)'`),
  ).toBe("");
  for (let i = 0; i < 4; i++) expect((await visit()).headers["x-release"]).toBe(after);
  expect((await request("/nothing")).headers["x-release"]).toBe(after);
  expect((await log()).at(-1)).toMatchObject({
    what: "deploy",
    app: app.name,
    release: after,
    message,
    by: expect.stringContaining("@"),
    backends,
    result: "done",
  });
  await noLock();

  const table = (await npm("releases")).output;
  const row = table.split("\n").find((line) => line.startsWith(after));
  expect(row).toMatch(new RegExp(` serving on ${first}, ${second} `));
  expect(row).toContain(`deploy; ${message}`);
  expect(existsSync(evil)).toBe(false);
  expect(table).toMatch(new RegExp(`${before} +kept`));
});

test("a rollback takes every backend to the release before", async () => {
  const before = one(await serving());
  // As a reload leaves it that was killed a moment ago.
  await on(first, `date +%s%3N | runuser -u ${app.user} -- tee ${app.state}/pm2/reload.lock`);
  const back = await npm("rollback");
  expect(back.code, back.output).toBe(0);
  const earlier = one(await serving());
  expect(earlier < before).toBe(true);
});

atNight("a rollback takes a named release as well, and refuses a wrong name", async () => {
  const before = one(await serving());
  const kept = (await on(first, `${haloRelease} list`)).match(/^\S+(?= kept$)/gm) ?? [];
  const newest = kept.toSorted().at(-1) ?? "";
  const forth = await npm("rollback", "--", newest);
  expect(forth.code, forth.output).toBe(0);
  expect(one(await serving())).toBe(newest);

  const wrong = await npm("rollback", "--", "20200101T000000Z-nothing");
  expect(wrong.code).not.toBe(0);
  expect(wrong.output).toContain("is not on every backend");
  expect(wrong.output).toContain(before);
  expect(one(await serving())).toBe(newest);
});

/** Unpacks a release of the first backend as BEFORE-NAME, changed by a shell line in its folder and packed as under a umask of 077. */
const unpack = (before: string, name: string, change: string) =>
  on(first, shellScript(new URL("programs/variant.sh", import.meta.url), app.name, before, name, change));

describe("a release that fails", () => {
  const faults: [string, string, string, string, string][] = [
    ["crashes at start", "crash", "app/src/main.ts", "throw new Error('crash of the test');\n", "crash of the test"],
    [
      "reports another version",
      "other",
      "app/src/release.ts",
      'export const readRelease = () => "another";\n',
      "another",
    ],
  ];

  test.each(faults)("because it %s is refused by the gate of its backend", async (_, name, file, text, words) => {
    const before = (await serving())[first] ?? "";
    await unpack(before, name, `printf %s ${quote(text)} >${file}`);
    try {
      await expect(on(first, `HALO_GATE_TIMEOUT=15 ${haloRelease} activate ${before}-${name}`)).rejects.toThrow(words);
      expect((await serving())[first]).toBe(before);
    } finally {
      await on(first, `${haloRelease} reject ${before}-${name} ${before}; rm -rf ${releases}/${before}-${name}`);
    }
  });

  atNight.each(faults)(
    "because it %s is in service nowhere, explains itself, and no rollback can pick it",
    async (_, name, file, text, words) => {
      const before = one(await serving());
      const release = await broken(name, file, text);
      const { code, output } = await deploy(release);
      expect(code).not.toBe(0);
      expect(output).toContain(words);
      expect(one(await serving())).toBe(before);
      // A restore takes its migrations from here.
      expect(await on(database, `readlink -e ${app.root}/migrated`)).toBe(`${releases}/${before}`);
      for (let i = 0; i < 4; i++) expect((await visit()).headers["x-release"]).toBe(before);
      expect((await log()).at(-1)).toMatchObject({ release: release.id, result: expect.stringContaining(first) });
      await noLock();
      expect((await npm("releases")).output).toMatch(new RegExp(`${release.id} +failed`));
      const pick = await npm("rollback", "--", release.id);
      expect(pick.code).not.toBe(0);
      expect(pick.output).toContain("is not on every backend, or it failed there"); // refused before anything is done
      expect(one(await serving())).toBe(before);
    },
  );

  test("on the second backend only, is taken back on the first one too", async () => {
    const before = one(await serving());
    const readRelease = textOf(new URL("programs/other-on-one-host.ts", import.meta.url)).replaceAll("HOST", second);
    const release = await broken("second", "app/src/release.ts", readRelease);
    // Each task logs in by itself, as after a minute without one: the host that fails sends the others back, and each has its own key.
    const logins = { ANSIBLE_SSH_ARGS: "-o ControlMaster=no -o ControlPath=none" };
    const { code, output } = await deploy(release, logins);
    expect(code).not.toBe(0);
    expect(output).not.toContain("UNREACHABLE");
    expect(output).toContain(`failed on ${second}`);
    expect(one(await serving())).toBe(before);
    expect(await on(first, `${haloRelease} list`)).toContain(`${release.id} failed`);
  });

  atNight(
    "because a backend cannot be reached any more is taken back on the others, and the lock is given back",
    async () => {
      const before = one(await serving());
      const release = await pack("cut", () => {});
      const site = `${urlOf(counter, balancerAddress)}/`;
      // Nobody gets in from when it switches until the other one has gone back.
      const cutOff = shellScript(
        new URL("programs/cut-off.sh", import.meta.url),
        current,
        release.id,
        site,
        domain,
        first,
        before,
      );
      const unit = "--unit=test-cut --property=RuntimeMaxSec=120 --property='ExecStopPost=systemctl start ssh'";
      await on(second, `systemd-run --quiet --collect --expand-environment=no ${unit} sh -c ${quote(cutOff)}`);
      try {
        const { code, output } = await deploy(release);
        expect(code).not.toBe(0);
        expect(output).toContain(`${second} cannot be reached any more`);
        expect((await log()).at(-1)).toMatchObject({ release: release.id, result: expect.stringContaining(second) });
        await noLock();
        expect(await on(first, `cat ${current}/RELEASE`)).toBe(before);
      } finally {
        await until(`${second} can be reached`, minutes, async () => (await on(second, "true")) === "");
        await on(second, `${haloRelease} reject ${release.id} ${before}`);
      }
      expect(one(await serving())).toBe(before);
    },
  );
});

test("an outage is not held against a release, which may be tried again when that is over", async () => {
  const kept = (await on(first, `${haloRelease} list`)).split("\n").find((line) => line.endsWith(" kept"));
  const id = kept?.split(" ")[0] ?? "";
  const before = (await serving())[first];
  await on("balancer", "systemctl stop redis-server");
  try {
    const tried = on(first, `HALO_GATE_TIMEOUT=3 ${haloRelease} activate ${id}`);
    await expect(tried).rejects.toThrow("this is no proof against it");
  } finally {
    await on("balancer", "systemctl start redis-server");
  }
  expect((await serving())[first]).toBe(before);
  expect(await on(first, `${haloRelease} list`)).toContain(`${id} kept`);
});

describe("a full disk", () => {
  /** Runs something while a folder of a host has room for 64 KiB. */
  const full = async (host: string, folder: string, run: () => Promise<void>) => {
    await on(host, `mkdir -p -m 0700 ${folder}; mount -t tmpfs -o size=64k,mode=0700 tmpfs ${folder}`);
    await run().finally(() => on(host, `umount ${folder}`));
  };

  test("ends the unpacking with that reason, and nothing half-made stays", async () => {
    await on(first, `tar -C $(realpath ${current}) -czf /run/test.tar.gz .`);
    await full(first, releases, async () => {
      const line = `${haloRelease} unpack test /run/test.tar.gz $(sha256sum /run/test.tar.gz | cut -d ' ' -f 1)`;
      await expect(on(first, line)).rejects.toThrow(/No space left on device.* free.*Fix: /);
      expect(await on(first, `ls -A ${releases}; ls /run/test.tar.gz 2>/dev/null || true`)).toBe("");
    });
  });

  atNight(
    "ends a deploy with that reason, also in the log; no release is marked, and the lock is given back",
    async () => {
      const before = one(await serving());
      const release = await pack("full", () => {});
      await full(second, "/var/lib/halo-uploads", async () => {
        const { code, output } = await deploy(release);
        expect(code).not.toBe(0);
        expect(output).toContain("No space left on device");
      });
      const { result } = (await log()).at(-1);
      expect(result).toMatch(new RegExp(`^failed on ${second}: .*No space left on device`));
      await noLock();
      expect(one(await serving())).toBe(before);
      expect(await on(first, `${haloRelease} list`)).not.toContain(release.id);
    },
  );
});

test("uploads and locks are in folders of root's alone, and no upload stays", async () => {
  for (const [host, locks] of [
    ["balancer", "deploys"],
    [first, `release-${app.name}`],
  ]) {
    const modes = "stat -c '%U %a %n' /var/lib/halo-uploads /run/halo-locks; ls /var/lib/halo-uploads";
    expect(await on(host ?? "", modes)).toBe("root 700 /var/lib/halo-uploads\nroot 700 /run/halo-locks");
    const taken = on(host ?? "", `setpriv --reuid=nobody --clear-groups flock -n /run/halo-locks/${locks} true`);
    await expect(taken).rejects.toThrow("Permission denied");
  }
});

atNight(
  "PM2 restarts with another ecosystem.config.cjs and another runtime; a broken file is refused before it serves",
  async () => {
    const file = "/usr/local/lib/halo/ecosystem.config.cjs";
    const running = async () => [
      JSON.parse(await on(first, "pm2 jlist"))[0].pm2_env.kill_timeout,
      await on(first, `runuser -u ${app.user} -- readlink /proc/$(systemctl show -P MainPID ${app.unit})/exe`),
    ];
    const [timeout, exe] = await running();
    try {
      await on(first, `cp ${file} /run/test-ecosystem; echo 'throw new Error("no apps")' >>${file}`);
      await expect(on(first, `${haloRelease} apply`)).rejects.toThrow("no apps");
      expect(await on(first, `cmp ${file} /run/test-ecosystem`)).toBe("");

      await on(first, `sed -i 's/kill_timeout: .*/kill_timeout: 12345,/' ${file}`);
      // As the role leaves it when it is interrupted.
      await on(first, "cd /opt/halo/runtime; cp -al $(readlink current) half; ln -sfn half current");
      const shown = await on(
        first,
        `${haloRelease} apply & until systemctl is-active --quiet ${app.candidateUnit}; do sleep 0.05; done; systemctl show ${app.candidateUnit}; echo ---; systemctl show ${app.unit}; wait $!`,
      );
      // A candidate runs in the service's own sandbox.
      const [candidate, service] = shown.split("\n---\n").map((lines) => lines.split("\n").filter(sandbox).sort());
      expect(candidate).toEqual(service);
      expect(candidate).toContain("ProtectSystem=strict");
      expect(await running()).toEqual([12345, "/opt/halo/runtime/half/bin/node"]);
    } finally {
      const runtime = exe.split("/")[4];
      await on(
        first,
        `cd /opt/halo/runtime; [ -e ${runtime} ] && rm -rf half || mv half ${runtime}; ln -sfn ${runtime} current; mv /run/test-ecosystem ${file}; ${haloRelease} apply`,
      );
    }
    expect(await running()).toEqual([timeout, exe]);
  },
);

describe("the lock", () => {
  const lock = {
    what: "deploy",
    app: app.name,
    release: "X",
    by: "somebody@elsewhere",
    message: "hands off",
    since: "now",
    process: "1 x",
  };
  afterEach(() => on("balancer", "rm -f /var/lib/halo-cluster/deploy.lock"));
  const hold = (text: string) =>
    on("balancer", `install -d -m 0700 /var/lib/halo-cluster; echo '${text}' > /var/lib/halo-cluster/deploy.lock`);

  atNight(
    "of somebody else refuses a deploy with who holds it, and one that is damaged says so; it can be broken, which is logged",
    async () => {
      await hold(JSON.stringify(lock));
      const before = one(await serving());
      const refused = await npm("rollback");
      expect(refused.code).not.toBe(0);
      expect(refused.output).toContain("somebody@elsewhere");
      expect(refused.output).toContain("hands off");
      expect(refused.output).toContain("--break-lock");
      expect(one(await serving())).toBe(before);

      await hold(JSON.stringify(lock).slice(0, 30));
      const damaged = await npm("rollback");
      expect(damaged.code).not.toBe(0);
      expect(damaged.output).toContain("it is damaged");
      expect(damaged.output).toContain("--break-lock");

      const broke = await npm("rollback", "--", "--break-lock", before);
      expect(broke.code, broke.output).toBe(0);
      expect((await log()).at(-2)).toMatchObject({ by: "unknown", result: expect.stringContaining("taken over") });
      await noLock();
    },
  );

  atNight("of a process of this machine that has died is explained and taken over", async () => {
    const by = `${await must(["id", "-un"])}@${await must(["uname", "-n"])}`;
    await hold(JSON.stringify({ ...lock, by, process: "999999 a-boot 1" }));
    const { code, output } = await npm("rollback", "--", one(await serving()));
    expect(code, output).toBe(0);
    expect(output).toContain("Its process has died");
  });
});

test("a drained backend gets no requests, also after site.yml, until it is put back; the last one cannot be drained", async () => {
  const names = async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 12; i++) seen.add((await visit()).visit.container_id);
    return seen;
  };
  try {
    const drained = await npm("drain", "--", first);
    expect(drained.code, drained.output).toBe(0);
    // In a folder of root's alone: nobody else can put a backend back, or take one out.
    const flag = "stat -c '%U %a' /var/lib/halo-cluster; cat /var/lib/halo-cluster/drained";
    expect(await on("balancer", flag)).toBe(`root 700\n${first}`);
    expect(await names()).not.toContain(first);
    const last = await npm("drain", "--", second);
    expect(last.code).not.toBe(0);
    expect(last.output).toContain(`no backend but ${second} takes requests`);
    if (wholeNight) {
      const site = await ansible("site.yml");
      expect(site.output).toMatch(/balancer\s+: ok=\d+\s+changed=0/);
      expect(await names()).not.toContain(first);
      expect((await npm("verify")).output).toContain("drained");
    }
  } finally {
    await npm("undrain", "--", first);
  }
  await until("every backend answers", minutes, async () => (await names()).size === backends.length);
});

atNight(
  "a deploy with a backend stopped changes the others, says so, and a deploy after it brings both to one release",
  async () => {
    const before = one(await serving());
    await must(["npm", "run", "-s", "exec", "--", "vagrant", "halt", first]);
    const stopped = await npm("deploy");
    expect(stopped.code).not.toBe(0);
    expect(stopped.output).toContain(`NOT CHANGED: ${first}`);
    await must(["npm", "run", "-s", "exec", "--", "vagrant", "up", first]);
    await until(`${first} answers`, minutes, async () => (await visit()).visit.container_id === first);
    expect((await serving())[first]).toBe(before);
    const both = await npm("deploy");
    expect(both.code, both.output).toBe(0);
    expect(one(await serving()) > before).toBe(true);
  },
);

test("five good releases are kept, failed ones do not push them out", async () => {
  const list = (await on(second, `${haloRelease} list`)).split("\n");
  expect(list.filter((line) => line.endsWith(" kept")).length).toBeLessThanOrEqual(4);
  expect(list.filter((line) => line.endsWith(" serving"))).toHaveLength(1);
  expect(list.filter((line) => line.endsWith(" failed")).length).toBeLessThanOrEqual(3);
});
