import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { parseApps } from "../cluster/apps.ts";
import { type Host, inventoryFile, parseInventory } from "../cluster/inventory.ts";
import type { Session } from "../cluster/session.ts";
import type { Unfinished } from "../cluster/unfinished.ts";
import { root } from "../lib/paths.ts";
import { backendsOf, refuseForApps, resize } from "../scale/plan.ts";
import { faultyOf, leftOut } from "../scale/staying.ts";
import { workOf } from "../scale/work.ts";
import { checkPlaybook } from "./support/playbook.ts";

const committed = readFileSync(join(root, "ansible/inventory/hosts.yml"), "utf8");

/** The ways in which people write an inventory. */
type Way = { block?: boolean; comments?: boolean; first?: boolean; blanks?: boolean; end?: string; eol?: string };

/** An inventory with these backends, the first one at the address 192.168.56.11; `others` are more lines of groups. */
function inventory(backends: string[], way: Way = {}, others: string[] = []): string {
  const comment = (text: string) => (way.comments ? [text] : []);
  const blank = way.blanks ? [""] : [];
  const entries = backends.flatMap((name, i) => {
    const address = `192.168.56.${11 + i}`;
    const entry = way.block
      ? [
          `        ${name}:`,
          `          private_ip: ${address}`,
          ...blank,
          "          memory: 768 # MiB",
          "          cpus: 1",
        ]
      : [`        ${name}: {private_ip: ${address}, memory: 768, cpus: 1}${way.comments ? " # small" : ""}`];
    return [...comment(`        # number ${i + 1}`), ...entry, ...comment("        # below it")];
  });
  const group = ["    backends:", "      hosts:", ...entries, ...blank];
  const rest = [
    "    balancers:",
    "      hosts:",
    "        balancer: {private_ip: 192.168.56.10, memory: 1536, cpus: 1}",
    "    monitoring: {hosts: {balancer: }}",
    ...others,
  ];
  const lines = ["# Ours.", "all:", "  children:", ...(way.first ? [...group, ...rest] : [...rest, ...group])];
  return lines.join(way.eol ?? "\n") + (way.end ?? "\n");
}
const two = ["backend1", "backend2"];

describe("the text of the inventory", () => {
  test("a third backend is one more line, with the next name and address", () => {
    const line = "        backend2: {private_ip: 192.168.56.12, memory: 768, cpus: 1}\n";
    expect(committed).toContain(line);
    const more = line.replace("backend2", "backend3").replace("56.12", "56.13");
    const plan = resize(committed, 3);
    expect(plan.text).toBe(committed.replace(line, line + more));
    expect(plan.added.map(({ name, address, memory, cpus }) => [name, address, memory, cpus])).toEqual([
      ["backend3", "192.168.56.13", 768, 1],
    ]);
    expect(plan.removed).toEqual([]);
  });

  test("adding and then removing gives the same bytes, in whatever way it is written", () => {
    const ways = fc.record({
      block: fc.boolean(),
      comments: fc.boolean(),
      first: fc.boolean(),
      blanks: fc.boolean(),
      end: fc.constantFrom("", "\n", "\n\n", "\n# The end.\n"),
      eol: fc.constantFrom("\n", "\r\n"),
    });
    fc.assert(
      fc.property(ways, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 20 }), (way, present, more) => {
        const names = Array.from({ length: present + more }, (_, i) => `backend${i + 1}`);
        const text = inventory(names.slice(0, present), way);
        const plan = resize(text, present + more);
        expect(backendsOf(plan.text)).toEqual(names);
        const back = resize(plan.text, present);
        expect(back.text).toBe(text);
        expect(back.removed.map(({ name }) => name)).toEqual(names.slice(present).reverse());
      }),
    );
  });

  test("the numbers go on behind the highest one, with its zeros, and gaps stay", () => {
    expect(backendsOf(resize(inventory(["app01", "app03"]), 4).text)).toEqual(["app01", "app03", "app04", "app05"]);
    const { text, removed } = resize(inventory(["backend1", "backend10", "backend9"]), 1);
    expect(removed.map(({ name }) => name)).toEqual(["backend10", "backend9"]);
    expect(text).toBe(inventory(["backend1"]));
  });

  test("as many as there are: nothing changes, also of a person's own servers", () => {
    const servers = readFileSync(join(root, "ansible/inventory/servers.yml.example"), "utf8");
    for (const text of [committed, servers]) expect(resize(text, 2)).toEqual({ text, added: [], removed: [] });
  });
});

describe("refused, with a way on", () => {
  const problem = (message: RegExp, hint: RegExp) =>
    expect.objectContaining({ message: expect.stringMatching(message), hint: expect.stringMatching(hint) });
  const store = (entry: string) => ["    store:", "      hosts:", `        ${entry}`];
  const flow = `${inventory([]).trimEnd()} {backend1: {private_ip: 192.168.56.11, memory: 768, cpus: 1}}\n`;

  test.each<[string, string, number, RegExp, RegExp]>([
    [
      "an address that is taken",
      inventory(two, {}, store("db: {private_ip: 192.168.56.13, memory: 768, cpus: 1}")),
      3,
      /backend3 would get the address 192\.168\.56\.13, which is db's/,
      /give db another address/,
    ],
    [
      "a name that is taken",
      inventory(two, {}, store("backend3: {private_ip: 192.168.56.99, memory: 768, cpus: 1}")),
      3,
      /backend3, which is the name of another host/,
      /another name/,
    ],
    [
      "the end of the network",
      inventory(two).replace("192.168.56.12", "192.168.56.254"),
      3,
      /no address is left in 192\.168\.56\.0\/24 for backend3/,
      /ask for fewer/,
    ],
    ["names without a number", inventory(["alpha", "beta"]), 3, /no pattern to continue: alpha, beta$/, /backend1/],
    ["names of two words", inventory(["web1", "app2"]), 1, /no pattern to continue: web1, app2$/, /backend1/],
    [
      "a backend with other services",
      inventory(two, {}, ["    redis:", "      hosts:", "        backend2:"]),
      1,
      /backend2 is in the group redis too/,
      /take backend2 out of redis/,
    ],
    ["backends in one line", flow, 2, /not written one below the other/, /as in ansible\/inventory\/hosts\.yml/],
    [
      "a server of one's own",
      readFileSync(join(root, "ansible/inventory/servers.yml.example"), "utf8"),
      3,
      /app1 is a server of your own/,
      /by hand: docs\/operations\/servers\.md/,
    ],
  ])("%s", (_, text, wanted, message, hint) => {
    expect(() => resize(text, wanted)).toThrow(problem(message, hint));
  });

  test("an app that names a backend that goes, and an app with the name of one that comes", () => {
    const pinned = parseApps("apps:\n  shop: {source: x, hosts: [backend1, backend2]}\n  film: {source: x}\n");
    expect(() => refuseForApps(resize(committed, 1), pinned)).toThrow(
      problem(/hosts of shop names backend2/, /take backend2 out of it/),
    );
    expect(() => refuseForApps(resize(committed, 3), pinned)).not.toThrow();
    const namesake = parseApps("apps:\n  backend3: {source: x}\n");
    expect(() => refuseForApps(resize(committed, 3), namesake)).toThrow(
      problem(/backend3, which is an app's name/, /rename the app/),
    );
  });
});

describe("a run that was cut short is finished by the next one", () => {
  const plans = { more: resize(committed, 4), fewer: resize(resize(committed, 4).text, 2) };
  const cut = { more: workOf(plans.more).unfinished, fewer: workOf(plans.fewer).unfinished };
  const four = plans.more.text;

  // All that are drained are so at once: nginx sends no request to a backend that has not served, or is to go.
  const none = { draining: [], coming: [], leaving: [], returning: [] };
  test.each<[string, string, number, Unfinished, Partial<Record<keyof typeof none, number[]>>]>([
    ["more, before the inventory was written", committed, 4, cut.more, { coming: [3, 4] }],
    ["more, behind it", four, 4, cut.more, { coming: [3, 4] }],
    ["more, then fewer", four, 3, cut.more, { draining: [3, 4], coming: [3], leaving: [4], returning: [3] }],
    ["more, then as before", four, 2, cut.more, { draining: [3, 4], leaving: [3, 4] }],
    ["more, and the inventory was put back by hand", committed, 2, cut.more, { leaving: [3, 4] }],
    ["fewer, while they were drained", four, 2, cut.fewer, { draining: [3, 4], leaving: [3, 4] }],
    ["fewer, while they were drained, then as before", four, 4, cut.fewer, { returning: [3, 4] }],
    ["fewer, behind the inventory", committed, 2, cut.fewer, { leaving: [3, 4] }],
    ["fewer, then one more", committed, 3, cut.fewer, { coming: [3], leaving: [4], returning: [3] }],
  ])("%s", (_, text, wanted, before, expected) => {
    const { unfinished, ...work } = workOf(resize(text, wanted), before);
    const numbers = (names: string[]) => names.map((name) => Number(name.replace("backend", ""))).sort();
    expect(Object.fromEntries(Object.entries(work).map(([key, names]) => [key, numbers(names)]))).toEqual({
      ...none,
      ...expected,
    });
    // Vagrant finds each machine by this file, and needs these keys of it.
    const { balancers, backends } = unfinished.all.children;
    expect(Object.keys(balancers.hosts)).toEqual(["balancer"]);
    for (const name of work.leaving)
      expect(backends.hosts[name]).toEqual({ private_ip: `192.168.56.1${name.at(-1)}`, memory: 768, cpus: 1 });
    expect(unfinished.inventory).toBe(inventoryFile);
  });

  test("and again, if that one is cut short as well", () => {
    const second = workOf(resize(committed, 3), cut.fewer);
    const third = workOf(resize(resize(committed, 3).text, 3), second.unfinished);
    expect([third.coming, third.leaving, third.returning]).toEqual([["backend3"], ["backend4"], ["backend3"]]);
  });
});

describe("the hosts that stay are asked before the first change", () => {
  // As inside a lab: no host has to be up.
  beforeAll(() => void vi.stubEnv("HALO_LAB", "1"));
  afterAll(() => void vi.unstubAllEnvs());
  const [balancer, backend1, backend2] = parseInventory(committed) as [Host, Host, Host];
  const apps = parseApps(
    "apps:\n  demo: {source: .}\n  shop: {source: x, hosts: [backend2]}\n  docs: {source: x, static: web}\n",
  );
  const gone = { code: 255, output: "ssh: connect to host 192.168.56.12: No route to host" };
  const unready = { code: 1, output: 'shop did not become ready: 503. Fix: see its log\n{"level":30}' };
  const ask = async (answers: Record<string, { code: number; output: string }>) => {
    const asked: Record<string, string> = {};
    const sh: Session["sh"] = async (argv) => {
      const name = [balancer, backend1, backend2].find(({ address }) => argv.join(" ").includes(address))?.name ?? "";
      asked[name] = argv.at(-1) ?? "";
      return { code: 0, output: "", at: 0, ...answers[name] };
    };
    return { asked, faulty: await faultyOf([balancer, backend1, backend2], apps, { sh }) };
  };

  test("for each of their apps", async () => {
    expect(await ask({})).toEqual({
      asked: {
        balancer: "'true'",
        backend1: "'halo-release demo check'",
        backend2: "'halo-release demo check && halo-release shop check'",
      },
      faulty: [],
    });
  });

  test.each<[string, Parameters<typeof ask>[0], string[], string[] | RegExp]>([
    ["all are well", {}, ["backend3"], []],
    ["a backend that is down: others can be added", { backend2: gone }, [], ["backend2"]],
    ["a backend that is not ready: site.yml may repair it", { backend2: unready }, [], []],
    [
      "no backend goes while one is down",
      { backend2: gone },
      ["backend3"],
      /^backend2: .*No route to host\nnothing was/,
    ],
    ["nor while one is not ready", { backend2: unready }, ["backend3"], /^backend2: shop did not become ready: 503\n/],
    ["the balancer is needed", { balancer: gone }, [], /^balancer: .*No route to host\nnothing was changed$/],
  ])("%s", async (_, answers, leaving, expected) => {
    const { faulty } = await ask(answers);
    if (Array.isArray(expected)) expect(leftOut(faulty, leaving)).toEqual(expected);
    else
      expect(() => leftOut(faulty, leaving)).toThrow(
        expect.objectContaining({
          message: expect.stringMatching(expected),
          hint: expect.stringMatching(/^npm run diagnose/),
        }),
      );
  });
});

test("more backends than PostgreSQL's memory has room for are refused without a host", () => {
  const folder = mkdtempSync(join(tmpdir(), "halo-scale-"));
  const file = join(folder, "hosts.yml");
  writeFileSync(file, resize(committed, 9).text);
  const done = checkPlaybook({}, file);
  rmSync(folder, { recursive: true });
  expect([done.status, done.stdout]).toEqual([2, expect.stringMatching(/PostgreSQL may take 1176 MiB .*\n +Fix: /)]);
});

describe("npm run scale", () => {
  const folder = mkdtempSync(join(tmpdir(), "halo-scale-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "hosts.yml");
  const scale = (...args: string[]) => {
    writeFileSync(file, committed);
    const env = { ...process.env, HALO_INVENTORY: file };
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "ops/scale.ts"), ...args], {
      encoding: "utf8",
      env,
    });
    expect(readFileSync(file, "utf8")).toBe(committed);
    return { status, stdout, stderr };
  };

  test.each<[string[], RegExp]>([
    [[], /no number of backends was given\nFix: npm run scale -- backends=N,/],
    [["3"], /3 is no number of backends\nFix: /],
    [["backends=two"], /backends=two is no number of backends\nFix: /],
    [["backends=0"], /without a backend nobody answers\nFix: .*npm run down/],
  ])("%j is refused", (args, words) => {
    const { status, stderr } = scale(...args);
    expect([status, stderr]).toEqual([1, expect.stringMatching(words)]);
  });

  test("the number as it is: says so, and changes nothing", () => {
    const { status, stdout } = scale("backends=2");
    expect([status, stdout]).toEqual([0, "backends=2 as it is (backend1, backend2): nothing was changed.\n"]);
  });
});
