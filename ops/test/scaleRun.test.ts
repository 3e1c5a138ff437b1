import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { sh } from "../../test/lib/hosts.ts";
import { root } from "../lib/paths.ts";
import { resize } from "../scale/plan.ts";
import { workOf } from "../scale/work.ts";

// A clone with stand-ins for Vagrant, Ansible and ssh, which write down their calls; the addresses in `dead` answer no ssh.
const clone = mkdtempSync(join(tmpdir(), "halo-clone-"));
const at = (path: string) => join(clone, path);
const committed = readFileSync(join(root, "ansible/inventory/hosts.yml"), "utf8");
const hosts = "ansible/inventory/hosts.yml";
const state = ".halo/scale.json";
const stand = (name: string, script: string) => {
  writeFileSync(at(`bin/${name}`), `#!/bin/sh\n${script}\n`);
  chmodSync(at(`bin/${name}`), 0o755);
};

beforeAll(() => {
  for (const each of readdirSync(join(root, "ops")).filter((name) => name !== "test"))
    cpSync(join(root, "ops", each), at(`ops/${each}`), { recursive: true });
  cpSync(join(root, "ansible/group_vars"), at("ansible/group_vars"), { recursive: true });
  writeFileSync(at("package.json"), '{"type": "module"}');
  for (const folder of ["node_modules", "bin", ".halo", "ansible/inventory", ".vagrant/machines/backend1/docker"])
    mkdirSync(at(folder), { recursive: true });
  writeFileSync(at(".vagrant/machines/backend1/docker/id"), "1");
  symlinkSync(join(root, "node_modules/yaml"), at("node_modules/yaml"));
  stand("vagrant", `echo "vagrant $@ by $HALO_INVENTORY" >>calls`);
  copyFileSync(join(import.meta.dirname, "programs/ansible-playbook.sh"), at("bin/ansible-playbook"));
  chmodSync(at("bin/ansible-playbook"), 0o755);
  stand("ssh", `printf '\\036halo\\036'; for each in $(cat dead); do case "$*" in *"$each "*) exit 255 ;; esac; done`);
});
beforeEach(() => {
  writeFileSync(at(hosts), committed);
  writeFileSync(at("dead"), "");
  rmSync(at(state), { force: true });
});
afterAll(() => rmSync(clone, { recursive: true }));

/** Runs a command of the clone; resolves with the calls that it has made, without their constant parts. */
async function run(name: string, ...args: string[]) {
  rmSync(at("calls"), { force: true });
  const env = { HALO_LAB: "1", HALO_INVENTORY: at(hosts), PATH: `${at("bin")}:${process.env.PATH}` };
  const { code, output } = await sh([process.execPath, at(`ops/${name}.ts`), ...args], env);
  const calls = existsSync(at("calls")) ? readFileSync(at("calls"), "utf8").trim().split("\n") : [];
  const short = (call: string) =>
    call
      .replaceAll(`${clone}/`, "")
      .replace(/--inventory \S+ ansible\//, "")
      .replaceAll("--extra-vars ", "");
  return { code, output, calls: calls.map(short) };
}

test("more, while a backend is down: it is left out, and the new one is not drained", async () => {
  writeFileSync(at("dead"), "192.168.56.12");
  const { code, output, calls } = await run("scale", "backends=3");
  expect([code, output]).toEqual([0, expect.stringContaining("backend2 was left out. Fix: ")]);
  expect(calls).toEqual([
    "ansible check.yml",
    `vagrant up --provider=docker backend3 by ${hosts}`,
    "ansible site.yml --limit all,localhost,!backend2",
  ]);
  expect(readFileSync(at(hosts), "utf8")).toContain("backend3:");
});

test("an inventory that a person writes meanwhile stays, and nothing else was changed", async () => {
  writeFileSync(at("typed"), "# mine\n");
  const { code, output, calls } = await run("scale", "backends=3");
  rmSync(at("typed"));
  expect([code, output]).toEqual([
    1,
    expect.stringContaining("was changed meanwhile, and stays so\nFix: run this again"),
  ]);
  expect(calls).toEqual(["ansible check.yml"]);
  expect([readFileSync(at(hosts), "utf8"), existsSync(at(state))]).toEqual([`${committed}# mine\n`, false]);
});

test("fewer, behind more that was cut short: all are drained at once, and the ones that stay are put back", async () => {
  const four = resize(committed, 4);
  writeFileSync(at(hosts), four.text);
  writeFileSync(at(state), JSON.stringify({ ...workOf(four).unfinished, inventory: at(hosts) }));
  const { code, output, calls } = await run("scale", "backends=3", "--yes");
  expect([code, output]).toEqual([0, expect.stringContaining("backends=3")]);
  expect(calls).toEqual([
    "ansible check.yml",
    "ansible drain.yml backend4backend3 --limit all,localhost,!backend3,!backend4",
    `vagrant up --provider=docker backend3 by ${hosts}`,
    "ansible site.yml",
    "ansible drain.yml backend3",
    `vagrant halt backend4 by ${state}`,
    `vagrant destroy --force backend4 by ${state}`,
  ]);
  expect(existsSync(at(state))).toBe(false);
});

test("fewer, while a backend that stays is down: refused, and nothing was changed", async () => {
  writeFileSync(at("dead"), "192.168.56.11");
  const { code, output, calls } = await run("scale", "backends=1", "--yes");
  expect([code, output]).toEqual([
    1,
    expect.stringMatching(/backend1: [\s\S]*\nnothing was changed\nFix: npm run diagnose/),
  ]);
  expect(calls).toEqual(["ansible check.yml"]);
  expect([readFileSync(at(hosts), "utf8"), existsSync(at(state))]).toEqual([committed, false]);
});

test("npm run down halts also the machines of a scale that was cut short, and says so", async () => {
  writeFileSync(at(state), JSON.stringify(workOf(resize(committed, 3)).unfinished));
  const { code, output, calls } = await run("down");
  expect([code, output]).toEqual([
    0,
    expect.stringMatching(/Note: npm run scale was cut short while it worked on backend3\. Fix: npm run scale -- /),
  ]);
  expect(calls).toEqual([`vagrant halt backend3 by ${state}`, `vagrant halt by ${hosts}`]);
  rmSync(at(state));
  expect((await run("down")).output).not.toContain("scale");
});
