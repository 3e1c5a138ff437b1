import { parseArgs } from "node:util";
import { findHost, remote } from "../cluster/hosts.ts";
import { inGroup } from "../cluster/inventory.ts";
import { renewLists } from "../cluster/lists.ts";
import { UserError } from "../lib/cli.ts";
import { capture, elapsed } from "../lib/exec.ts";
import { addScript, countScript, MAX_CUSTOMERS, MAX_SEED, removeScript } from "./statements.ts";

// Customers in one transaction, some seconds' work: after an interruption the next run continues at the last batch.
const BATCH = 10_000;
const kinds = ["customers", "vehicles", "services"] as const;

/** Runs statements in one transaction as the owner of the schema; resolves with psql's output, throws a UserError. */
function psql(...statements: string[]): Promise<string> {
  const bounds = "SET statement_timeout = '3min'; SET lock_timeout = '10s'";
  const text = ["SET ROLE halo_owner", "SET search_path = workshop", bounds, ...statements].join(";\n");
  const client = "sudo -u postgres psql -X -A -t -v ON_ERROR_STOP=1 -1 -d halo -f -".split(" ");
  return capture(remote(findHost(inGroup("postgres")[0]?.name), ...client), `${text};\n`);
}

/** Runs the command with its arguments; gives its exit status. */
export async function seed(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      customers: { type: "string" },
      seed: { type: "string", default: "1" },
      remove: { type: "boolean", default: false },
    },
  });
  if (values.remove && values.customers !== undefined)
    throw new UserError("--remove takes no --customers: it removes all of that seed", "leave one of them out");
  const number = (name: "customers" | "seed", given: string, most: number) => {
    const value = /^\d{1,9}$/.test(given) ? Number(given) : 0;
    if (value < 1 || value > most)
      throw new UserError(`--${name} ${given} is not possible`, `a whole number from 1 to ${most}`);
    return value;
  };
  const seed = number("seed", values.seed, MAX_SEED);
  const present = async () => (await psql(countScript(seed))).match(/^(\d+)\|(\d+)$/m)?.map(Number) ?? [];
  const customers = values.remove
    ? ((await present())[2] ?? 0)
    : number("customers", values.customers ?? "1000", MAX_CUSTOMERS);

  const counts = [0, 0, 0];
  const now = new Date();
  for (let from = 1; from <= customers; from += BATCH) {
    const batch = { seed, from, to: Math.min(from + BATCH - 1, customers), now };
    const output = await psql(values.remove ? removeScript(batch) : addScript(batch));
    const rows = [...output.matchAll(/^(?:INSERT 0|DELETE) (\d+)$/gm)].map(([, count]) => Number(count));
    if (values.remove) rows.reverse();
    for (const [i, count] of rows.entries()) counts[i] = (counts[i] ?? 0) + count;
    if (batch.to < customers) console.log(`${batch.to} of ${customers} customers (${elapsed()})`);
  }
  if (counts.some(Boolean)) {
    await psql(...kinds.map((kind) => `ANALYZE ${kind}`));
    await renewLists();
  }
  const said = kinds.map((kind, i) => `${counts[i]} ${kind}`).join(", ");
  console.log(`${values.remove ? "Removed" : "Added"} ${said} (${elapsed()})`);
  const [, left = 0] = values.remove ? await present() : [];
  if (left > 0) console.log(`${left} customers stay: somebody has added vehicles or services to them`);
}
