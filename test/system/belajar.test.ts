import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeEach, expect, test } from "vitest";
import { findHost } from "../../ops/cluster/hosts.ts";
import { inGroup } from "../../ops/cluster/inventory.ts";
import { urlOf } from "../../ops/cluster/sites.ts";
import { root } from "../../ops/lib/paths.ts";
import { app } from "../lib/app.ts";
import { exercises, pattern, plain } from "../lib/exercises.ts";
import { backends, explainByJournals, on } from "../lib/hosts.ts";
import { answerInTurn, balancerAddress, counter, domain } from "../lib/http.ts";

beforeEach(explainByJournals);

const [balancer] = inGroup("balancers");
const addressOf = (name: string | undefined) => `${findHost(name).address}:${app.port}`;

/** The page's names, addresses and ports, and those of the inventory in use. */
const names: [string, string][] = [
  ["http://192.168.56.10/", `${urlOf(counter, balancerAddress)}/`],
  ["192.168.56.11:3000", addressOf(backends[0])],
  ["192.168.56.12:3000", addressOf(backends[1])],
  ["-- balancer ", `-- ${balancer?.name} `],
  ["backend1", backends[0] ?? ""],
  ["backend2", backends[1] ?? ""],
  ["Host: halo.test", `Host: ${domain}`],
];
const here = (text: string) => names.reduce((all, [page, own]) => all.replaceAll(page, own), text);

afterAll(() => on(backends[0] ?? "", `systemctl start ${app.unit}`));

test.runIf(backends.length === 2)("the commands of docs/belajar.md print the output that the page shows", async () => {
  await answerInTurn();
  const all = exercises(readFileSync(join(root, "docs/belajar.md"), "utf8"));
  expect(all.length).toBeGreaterThanOrEqual(9);
  for (const { command, expected } of all) {
    const { stdout } = await promisify(execFile)("bash", ["-c", here(command)], { cwd: root, timeout: 60_000 });
    expect(plain(stdout), command).toMatch(expected === undefined ? /^$/ : pattern(here(expected)));
  }
  await answerInTurn();
});
