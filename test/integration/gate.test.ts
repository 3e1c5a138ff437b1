import { execFile } from "node:child_process";
import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { NODE } from "../../app/test/integration/support/service.ts";
import { root } from "../../ops/lib/paths.ts";
import { freePort } from "../../ops/loopback/port.ts";
import { until } from "../../ops/loopback/until.ts";
import { App } from "./support/app.ts";
import { Pm2 } from "./support/pm2.ts";
import { Releases } from "./support/releases.ts";

const GATE = join(root, "ansible/roles/release/files/halo-gate-health.mjs");
/** A loopback address that an app does not listen on by accident. */
const HOST = "127.0.0.2";

type Verdict = { status: number; text: string };
type Given = {
  release: string;
  pid: number;
  port: number;
  log?: string;
  [option: string]: string | number | undefined;
};

/** Asks the gate; the wrong states that it waits on for long are final after 1 s here. */
function gate({ log, ...given }: Given): Promise<Verdict> {
  const options = { host: HOST, domain: "shop.test", certain: 1, seconds: 60, ...given };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return new Promise((resolve) => {
    execFile(NODE, [GATE, ...args, ...(log ? ["--", "tail", "-n", "20", log] : [])], (error, stdout, stderr) =>
      resolve({ status: error ? Number(error.code) : 0, text: stdout + stderr }),
    );
  });
}

/** Starts an app as a candidate is started. */
async function candidate(name: string, env: Record<string, string> = {}, atEnd = onTestFinished) {
  const app = await App.launch(name, env);
  atEnd(() => app.destroy());
  const { port, log } = app;
  return { app, given: { release: app.releases.of("A"), pid: app.child.pid as number, port, log } };
}

/** Starts an app as the unit does. */
async function service(name: string, mode: "cluster" | "fork", settings = {}) {
  const releases = await Releases.make(name, ["A", "B"]);
  onTestFinished(() => releases.remove());
  const pm2 = await Pm2.launch(releases, mode, settings);
  onTestFinished(() => pm2.destroy());
  return { releases, pm2, given: { release: releases.of("A"), pid: pm2.pid, port: pm2.port } };
}

describe("the gate of an app without /version", () => {
  it("lets a candidate pass that serves for 3 s", async () => {
    const { given } = await candidate("plain");
    const started = performance.now();
    expect(await gate(given)).toEqual({ status: 0, text: "" });
    expect(performance.now() - started).toBeGreaterThan(3000);
  });

  it("lets all processes of a release pass, and refuses another release in their place", async () => {
    const metrics = { HALO_METRICS_PORT: await freePort(), HALO_RUNTIME: root };
    const { releases, given } = await service("esm-express", "cluster", { workers: 2, ...metrics });
    expect(await gate({ ...given, workers: 2, metrics: metrics.HALO_METRICS_PORT })).toEqual({ status: 0, text: "" });
    const other = await gate({ ...given, workers: 2, release: releases.of("B"), seconds: 1 });
    expect(other).toEqual({ status: 2, text: expect.stringMatching(/as B: it runs from .*\/releases\/A\. Fix: /) });
    const few = await gate({ ...given, workers: 3, seconds: 1 });
    expect(few).toEqual({ status: 1, text: expect.stringContaining("2 of 3 processes run. Fix: ") });
  });

  it("lets an app pass that clusters itself, in fork mode", async () => {
    const { given } = await service("clustered", "fork");
    expect(await gate(given)).toEqual({ status: 0, text: "" });
  });
});

describe("the gate names the cause", () => {
  // Side by side, because the gate waits most of the time.
  it.concurrent.for<[fault: string, options: Record<string, string>, says: RegExp]>([
    ["own-port", {}, /it listens on \d+, not on PORT \d+\. Fix: let the app listen on process\.env\.PORT\n$/],
    [
      "loopback",
      {},
      /it listens on 127\.0\.0\.1 only, not on HOST 127\.0\.0\.2\. Fix: let the app listen on process\.env\.HOST/,
    ],
    ["lost", {}, /it answers 404 at \/\. Fix: set health in apps\.yml to a path that answers 200 to 399\n$/],
    ["crash", {}, /it ends about \d s after its start\. Fix: .*\nIts last log lines:\n(.*\n)+ {2}SyntaxError: /],
    [
      "silent",
      { seconds: "2" },
      /it never listens on a port\. Fix: .*\nIts last log lines:\n {2}waiting for nothing\n$/,
    ],
  ])("%s", async ([fault, options, says], { expect, onTestFinished }) => {
    const { given } = await candidate("stubborn", { STUBBORN: fault }, onTestFinished);
    expect(await gate({ ...given, ...options })).toEqual({ status: 1, text: expect.stringMatching(says) });
  });

  it("of an app that PM2 starts again and again", async () => {
    const { pm2, given } = await service("stubborn", "cluster", { STUBBORN: "crash", AFTER_MS: 1000 });
    const log = `${pm2.dir}/output`;
    await writeFile(log, "Error: Cannot find module 'knex'\n");
    const verdict = await gate({ ...given, log });
    expect(verdict.status).toBe(1);
    expect(verdict.text).toMatch(
      /it does not find knex, and it ends (in its first second|about \d s after its start), again and again\. Fix: add it to the app's dep/,
    );
  });

  it("of an app that does not start at all", async () => {
    const { app, given } = await candidate("plain");
    app.child.kill("SIGKILL");
    await app.exit;
    await appendFile(given.log, "was compiled against a different Node.js version using NODE_MODULE_VERSION 115\n");
    const says =
      "native code that was built for another Node or machine, and it ends at once. Fix: name the package in scripts";
    expect(await gate(given)).toEqual({ status: 1, text: expect.stringContaining(says) });
  });

  it("of an app whose port another program has", async () => {
    const other = await App.start("plain");
    onTestFinished(() => other.destroy());
    const { app, given } = await candidate("stubborn", { STUBBORN: "silent" });
    await until("its start", () => app.output !== "");
    const { text } = await gate({ ...given, port: other.port, seconds: 1 });
    expect(text).toMatch(/another program has PORT \d+\. Fix: end it/);
  });
});

describe.skipIf(process.getuid?.() !== 0)("as another user than root", () => {
  it("says that it needs root", async () => {
    const { given } = await candidate("plain");
    const args = ["--reuid=65534", "--regid=65534", "--clear-groups", NODE, GATE];
    const options = Object.entries({ ...given, host: HOST, domain: "shop.test" }).flatMap(([name, value]) =>
      name === "log" ? [] : [`--${name}`, String(value)],
    );
    const text = await new Promise((resolve) =>
      execFile("setpriv", [...args, ...options], (_error, _out, said) => resolve(said)),
    );
    expect(text).toMatch(/^the gate cannot read \/proc\/\d+ \(EACCES\)\. Fix: run it as root\n$/);
  });
});
