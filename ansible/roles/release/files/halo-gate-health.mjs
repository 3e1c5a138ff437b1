// Managed by Ansible (role release). Waits until an app without /readyz and /version serves a release, and names the cause where it
// does not. It reads /proc of the app's processes, so it runs as root.
//   halo-gate-health.mjs --release FOLDER --pid PID --host HOST --port PORT --domain DOMAIN [OPTION ...] [-- COMMAND ...]
//     --release FOLDER    /opt/halo/apps/NAME/releases/ID
//     --pid PID           PM2's process, or the app's own where it runs without PM2 (a candidate)
//     --domain DOMAIN     the Host of its requests; apps check it
//     --health PATH       answers 200 to 399 (/)
//     --workers N         the processes that PM2 runs (1)
//     --metrics PORT      the first port of the preload's metrics, one for each worker
//     --seconds N         for it to become ready (120)
//     --certain N         a wrong port, address or path that has lasted for so many seconds is final (15)
//     COMMAND             prints the app's last log lines
// It is ready when for 3 s its processes run from the release's folder, none of them ended, they listen on HOST:PORT, and PATH answers.
// Exit status: 0 it is; 1 it is not, and the reason is printed; 2 it is not, because another release runs there; 3 no verdict is possible.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { request } from "node:http";
import { basename, dirname, sep } from "node:path";
import { parseArgs } from "node:util";

const STABLE_MS = 3000;
const POLL_MS = 500;
const ANSWER_MS = 5000;
/** PM2 starts an app again; after so many ends it is not a dependency that was late. */
const ENDS = 3;
/** The unit of times in /proc/PID/stat, on every architecture that Node has. */
const TICKS_PER_SECOND = 100;

const text = { type: "string" };
const { values, positionals: logCommand } = parseArgs({
  allowPositionals: true,
  options: {
    ...{ release: text, pid: text, host: text, port: text, domain: text, metrics: text },
    health: { ...text, default: "/" },
    workers: { ...text, default: "1" },
    seconds: { ...text, default: "120" },
    certain: { ...text, default: "15" },
  },
});
const { host, domain, health } = values;
const [root, port, workers, metrics] = ["pid", "port", "workers", "metrics"].map((name) => Number(values[name] ?? 0));
const release = values.release;
const id = basename(release);

const fixes = {
  port: "let the app listen on process.env.PORT",
  address: "let the app listen on process.env.HOST, or on all addresses",
  path: "set health in apps.yml to a path that answers 200 to 399",
  log: "correct the cause that its last log lines name",
};

// ---- The processes, from /proc

/** The contents by `read`, or undefined where the process has ended meanwhile. */
function ofProcess(pid, read) {
  try {
    return read();
  } catch (error) {
    if (error.code !== "EACCES" && error.code !== "EPERM") return undefined;
    console.error(`the gate cannot read /proc/${pid} (${error.code}). Fix: run it as root`);
    process.exit(3);
  }
}

/** Every process that runs, by its pid: its parent, and when it started, in ticks since the boot. */
function processes() {
  const all = new Map();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = ofProcess(name, () => readFileSync(`/proc/${name}/stat`, "latin1"));
    // The name of the program, in parentheses, may have spaces and parentheses.
    const [state, parent, ...more] = stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? [];
    if (stat && state !== "Z") all.set(Number(name), { parent: Number(parent), started: Number(more[17]) });
  }
  return all;
}

const folderOf = (pid) => ofProcess(pid, () => readlinkSync(`/proc/${pid}/cwd`));
const inFolder = (path, folder) => path === folder || path?.startsWith(folder + sep);
const isOfApp = (pid) => inFolder(folderOf(pid), dirname(release));
const uptime = () => Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);

/** A process with all that descend from it. */
function family(pid, all) {
  const children = [...all].filter(([, { parent }]) => parent === pid).map(([child]) => child);
  return [pid, ...children.flatMap((child) => family(child, all))];
}

// ---- The sockets, from /proc

/** "0100007F" is 127.0.0.1: words of four bytes, each in reverse order. */
function addressOf(hex) {
  const bytes = hex.match(/.{8}/g).flatMap((word) => word.match(/../g).reverse());
  const v4 = bytes.slice(-4).map((byte) => Number.parseInt(byte, 16));
  if (bytes.length === 4 || /^0{20}ffff/i.test(bytes.join(""))) return v4.join(".");
  const groups = bytes.join("").match(/.{4}/g);
  return new URL(`http://[${groups.join(":")}]`).hostname;
}

/** All sockets that listen: the number of each in /proc/PID/fd, with its address and port. */
function listeners() {
  return ["tcp", "tcp6"].flatMap((table) => {
    const lines = ofProcess(root, () => readFileSync(`/proc/${root}/net/${table}`, "latin1"))?.split("\n") ?? [];
    return lines
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === "0A")
      .map(([, local, , , , , , , , socket]) => {
        const [address, hexPort] = local.split(":");
        return { socket, address: addressOf(address), port: Number.parseInt(hexPort, 16) };
      });
  });
}

function socketsOf(pid) {
  const folder = `/proc/${pid}/fd`;
  const links = ofProcess(pid, () => readdirSync(folder)) ?? [];
  return links.map((fd) => ofProcess(pid, () => readlinkSync(`${folder}/${fd}`))?.match(/^socket:\[(\d+)\]$/)?.[1]);
}

/** Why the app's sockets are not the right ones; undefined if they are. */
function wrongSocket(pids) {
  const all = listeners();
  const own = new Set(pids.flatMap(socketsOf));
  const isMetrics = (each) => metrics && each.port >= metrics && each.port < metrics + workers;
  const ours = all.filter((each) => own.has(each.socket) && !isMetrics(each));
  const right = ours.filter((each) => each.port === port);
  if (right.some(({ address }) => [host, "0.0.0.0", "[::]"].includes(address))) return undefined;
  const list = (texts) => [...new Set(texts)].join(" and ");
  if (right.length > 0) {
    const where = list(right.map(({ address }) => address));
    return { why: `it listens on ${where} only, not on HOST ${host}`, fix: fixes.address, certain: true };
  }
  if (ours.length > 0) {
    const where = list(ours.map((each) => each.port));
    return { why: `it listens on ${where}, not on PORT ${port}`, fix: fixes.port, certain: true };
  }
  if (all.some((each) => each.port === port && [host, "0.0.0.0", "[::]"].includes(each.address)))
    return {
      why: `another program has PORT ${port}`,
      fix: "end it (ss -tlnp names it), or set port in apps.yml",
      log: true,
    };
  return { why: "it never listens on a port", fix: fixes.port, log: true };
}

// ---- The answer

function answer() {
  return new Promise((resolve) => {
    const options = { host, port, path: health, agent: false, headers: { Host: domain }, timeout: ANSWER_MS };
    const sent = request(options, (response) => {
      resolve({ status: response.statusCode, release: response.headers["x-release"] });
      response.destroy();
    });
    sent.on("timeout", () => sent.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)));
    sent.on("error", (error) => resolve({ error: error.message }));
    sent.end();
  });
}

async function wrongAnswer() {
  const { status, release: named, error } = await answer();
  const asked = `GET ${health} with Host: ${domain}`;
  if (error) return { why: `${asked} fails: ${error}`, fix: fixes.log, log: true };
  if (named !== undefined && named !== id)
    return { why: `it answers as release ${named}`, fix: "deploy again", other: true };
  if (status >= 200 && status < 400) return undefined;
  if (status < 500) return { why: `it answers ${status} at ${health}`, fix: fixes.path, certain: true };
  return { why: `it answers ${status} at ${health}`, fix: fixes.log, log: true };
}

// ---- The verdict

/** The app's processes that ran from this release, with when each started and when it was last seen, in seconds since the boot. */
const seen = new Map();
let ends = 0;
let lastAge = 0;
let alone = false;
let begun = false;

/** Why the app does not serve the release at this moment; undefined if it does. `state` is the same while no process changes. */
async function reasonNow() {
  const all = processes();
  const children = [...all].filter(([, { parent }]) => parent === root).map(([pid]) => pid);
  // A candidate is the app itself; PM2 works in a folder of its own.
  alone ||= all.has(root) && isOfApp(root);
  const mine = (alone ? [root] : children.filter(isOfApp)).filter((pid) => all.has(pid));
  const here = mine.filter((pid) => inFolder(folderOf(pid), release));
  const state = here.map((pid) => `${pid}:${all.get(pid).started}`).sort();

  const time = uptime();
  for (const [key, { started, last }] of seen)
    if (!state.includes(key)) {
      ends++;
      lastAge = (last + time) / 2 - started;
      seen.delete(key);
    }
  for (const pid of here) {
    const { started } = all.get(pid);
    seen.set(`${pid}:${started}`, { started: started / TICKS_PER_SECOND, last: time });
  }

  const wrong = (why, more = {}) => ({ state, why, fix: fixes.log, log: true, ...more });
  const after = lastAge < 1 ? "in its first second" : `about ${Math.round(lastAge)} s after its start`;
  begun ||= all.has(root);
  if (!begun) return wrong("it ends at once", { final: true });
  if (!all.has(root)) return wrong(alone ? `it ends ${after}` : "its PM2 has ended", { final: true });
  if (ends >= ENDS) return wrong(`it ends ${after}, again and again`, { final: true });
  const elsewhere = mine.filter((pid) => !here.includes(pid)).map(folderOf);
  if (elsewhere.length > 0)
    return wrong(`it runs from ${elsewhere[0]}`, { fix: "deploy again", other: here.length === 0 });
  if (here.length < (alone ? 1 : workers)) {
    const few = here.length === 0 ? "it does not run" : `${here.length} of ${workers} processes run`;
    return wrong(ends > 0 ? `${few}: the last one ended ${after}` : few);
  }
  const problem = wrongSocket(family(root, all)) ?? (await wrongAnswer());
  return { state, ...problem };
}

/** The app's last log lines, and a cause that is often in them. */
function log() {
  if (logCommand.length === 0) return { lines: "" };
  const [program, ...args] = logCommand;
  const { stdout, stderr } = spawnSync(program, args, { encoding: "utf8", timeout: 10_000 });
  const lines = `${stdout ?? ""}${stderr ?? ""}`.trimEnd();
  const [, missing] = lines.match(/Cannot find (?:module|package) '([^']+)'/) ?? [];
  if (missing)
    return {
      lines,
      why: `it does not find ${missing}`,
      fix: "add it to the app's dependencies, or set build in apps.yml",
    };
  if (/NODE_MODULE_VERSION|ERR_DLOPEN_FAILED|invalid ELF header|version `GLIBC/.test(lines))
    return {
      lines,
      why: "a package has native code that was built for another Node or machine",
      fix: "name the package in scripts of apps.yml",
    };
  return { lines };
}

function refuse(reason) {
  const { lines, why, fix } = reason.log ? log() : { lines: "" };
  const message = `http://${host}:${port} did not become ready as ${id}: ${why ? `${why}, and ` : ""}${reason.why}`;
  console.error(`${message}. Fix: ${fix ?? reason.fix}`);
  if (lines) console.error(`Its last log lines:\n${lines.replace(/^/gm, "  ")}`);
  process.exit(reason.other ? 2 : 1);
}

const end = performance.now() + values.seconds * 1000;
let since = 0;
let before = "";
for (;;) {
  const reason = await reasonNow();
  const now = performance.now();
  const same = `${reason.why ?? "ready"} ${reason.state}`;
  if (same !== before) since = now;
  before = same;
  if (!reason.why && now - since >= STABLE_MS) break;
  const lasts = reason.certain && now - since >= values.certain * 1000;
  if (reason.why && (reason.final || lasts || now >= end)) refuse(reason);
  // It is ready by now, or becomes so in time for the 3 s.
  if (!reason.why && now >= end + STABLE_MS)
    refuse({ why: "its processes change all the time", fix: fixes.log, log: true });
  await new Promise((next) => setTimeout(next, POLL_MS));
}
