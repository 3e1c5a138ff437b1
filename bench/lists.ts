import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { findHost } from "../ops/cluster/hosts.ts";
import { inGroup } from "../ops/cluster/inventory.ts";
import { openSession } from "../ops/cluster/session.ts";
import { loginOf, siteFor } from "../ops/cluster/sites.ts";
import { runCommand, UserError } from "../ops/lib/cli.ts";
import { elapsed, passThrough } from "../ops/lib/exec.ts";
import { localPath, root } from "../ops/lib/paths.ts";
import { textOf } from "../ops/lib/script.ts";
import { needWrk, secureProgram, wrkTo } from "../ops/loadgen/wrk.ts";
import { firstId } from "../ops/seed/statements.ts";

const usage = {
  "bench:lists": `measures the workshop's lists with many customers; about five minutes

Options:
  --customers N   example customers, removed again at the end (default 100000)
  --clients N     clients at once (default 20)
  --seconds N     for each list (default 8)

Example: npm run bench:lists -- --customers 20000`,
};

const seed = 79;
const first = firstId(seed);
const seeding = [join(root, "ops/run"), "seed", "--seed", String(seed)];
const interrupted = new AbortController();

/** The requests of a front desk; each kind with more than one way to ask, so that no single page is measured. */
function kinds(customers: number): Record<string, string[]> {
  const some = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i));
  const plates = some(200, (i) => `${["B", "D", "F", "L", "AB"][i % 5]}%20${10 + (i % 90)}${i % 3 ? i % 10 : ""}`);
  const names = [
    "budi",
    "sant",
    "ayu",
    "wija",
    "rina%20h",
    "kusuma",
    "dewi",
    "nugr",
    "putri",
    "siregar",
    "maya",
    "lubis",
  ];
  return {
    "customers by name": ["/customers", "/customers?sort=-created_at"],
    "customers with part of a name": names.map((name) => `/customers?q=${name}`),
    "customers with the beginning of a plate": plates.map((plate) => `/customers?q=${plate}`),
    "customers with part of a number": some(
      100,
      (i) => `/customers?q=08${12 + (i % 2)}-00${String(i).padStart(2, "0")}`,
    ),
    "vehicles with the beginning of a plate": plates.map((plate) => `/vehicles?q=${plate}`),
    "vehicles of a make": ["toyota", "honda", "avanza", "vario"].map((make) => `/vehicles?q=${make}`),
    "jobs that are open": ["/services?status=scheduled&status=in_progress"],
    "all jobs": ["/services", "/services?sort=created_at&limit=50"],
    "a customer's history": some(1000, (i) => `/customers/${first + ((i * 97) % customers)}/services`),
    "a vehicle": some(1000, (i) => `/vehicles/${first + ((i * 97) % customers)}`),
  };
}

const program = textOf(new URL("lists.lua", import.meta.url));
const secure = textOf(pathToFileURL(secureProgram));
const script = (paths: string[]) =>
  `${secure}\nlocal paths = { ${paths.map((path) => `"/api${path}"`).join(", ")} }\n${program}`;

async function takeOut(): Promise<void> {
  if ((await passThrough([...seeding, "--remove"])) !== 0)
    throw new UserError("the example data are still there", `npm run seed -- --seed ${seed} --remove`);
}

await runCommand(async (args) => {
  const { values } = parseArgs({
    args,
    options: {
      customers: { type: "string", default: "100000" },
      clients: { type: "string", default: "20" },
      seconds: { type: "string", default: "8" },
    },
  });
  const { customers, clients, seconds } = values;
  await needWrk();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () =>
      interrupted.abort(new UserError("interrupted; the example data are out again", "run it again")),
    );
  const session = openSession(console.log, interrupted.signal);
  const site = siteFor("/api/customers");
  const { address } = findHost(inGroup("balancers")[0]?.name);
  const { authorization } = loginOf(site);
  // The statements are measured, not the service's cache of lists.
  const headers = ["-H", "X-Halo-Cache: off", ...(authorization ? ["-H", `Authorization: ${authorization}`] : [])];
  const folder = mkdtempSync(join(tmpdir(), "halo-bench-"));
  const lines = ["| list | requests/s | p50 ms | p95 ms | p99 ms |", "|---|---:|---:|---:|---:|"];
  try {
    const status = await passThrough([...seeding, "--customers", customers]);
    interrupted.signal.throwIfAborted();
    if (status !== 0) throw new UserError("the example data did not go in", "npm run verify");
    for (const [kind, paths] of Object.entries(kinds(Number(customers)))) {
      const file = join(folder, "paths.lua");
      writeFileSync(file, script(paths));
      const load = (s: number) => session.must(wrkTo(site, address, Number(clients), s, ...headers, "-s", file));
      await load(2); // a JIT that has just begun is slower
      const result = (await load(Number(seconds))).output.split("\n").at(-1) ?? "";
      const [bad, p50 = 0, p95 = 0, p99 = 0, rate = 0] = result.split(" ").map(Number);
      if (bad !== 0) throw new UserError(`${kind}: ${bad} requests failed`, "npm run verify");
      const ms = (us: number) => (us / 1000).toFixed(1);
      lines.push(`| ${kind} | ${rate.toFixed(0)} | ${ms(p50)} | ${ms(p95)} | ${ms(p99)} |`);
      console.log(`${elapsed()}: ${kind}: ${rate.toFixed(0)} requests/s, p95 ${ms(p95)} ms`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await takeOut();
  }
  const report = `${lines.join("\n")}\n\n${clients} clients, ${customers} customers, ${seconds} s each.\n`;
  mkdirSync(localPath("reports"), { recursive: true });
  writeFileSync(localPath("reports", "lists.md"), report);
  console.log(`\n${report}\nAlso in .halo/reports/lists.md.`);
}, usage);
