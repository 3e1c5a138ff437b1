import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeEach, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { inventoryFile } from "../../ops/cluster/inventory.ts";
import { openBrowser } from "../../ops/lib/browser.ts";
import { localPath, root } from "../../ops/lib/paths.ts";
import type { Report } from "../../ops/load/report.ts";
import { app } from "../lib/app.ts";
import { backends, explainByJournals, must, on, sh, start, until } from "../lib/hosts.ts";
import { request } from "../lib/http.ts";

beforeEach(explainByJournals);
const folder = mkdtempSync(join(tmpdir(), "halo-"));
afterAll(() => rmSync(folder, { recursive: true }));

const rows = async () =>
  Number(
    await on(
      "balancer",
      `cd / && runuser -u postgres -- psql -AtX halo -c "SELECT count(*) FROM workshop.customers WHERE name LIKE 'halo-load-%'"`,
    ),
  );
/** Where the run that printed this keeps its report, without the ending. */
const stem = (output: string) => join(root, output.match(/Report: (\S+)\.html/)?.[1] ?? "no report");
const read = (output: string): Report => JSON.parse(readFileSync(`${stem(output)}.json`, "utf8"));

/** An inventory in which nobody monitors. */
function unmonitored(): NodeJS.ProcessEnv {
  const inventory = parse(readFileSync(inventoryFile, "utf8"));
  inventory.all.children.monitoring = { hosts: {} };
  const file = join(folder, "hosts.yml");
  writeFileSync(file, stringify(inventory));
  return { HALO_INVENTORY: file };
}

let normal = "";

test("normal: the client and Prometheus have counted the same, and the report has the metrics of both", async () => {
  const { code, output } = await sh(["ops/run", "load", "normal", "--duration", "6s", "--rate", "5"]);
  console.log(output);
  expect(code, output).toBe(0);
  const { client, prometheus, without } = read(output);
  expect(without).toBeUndefined();
  expect(client).toMatchObject({ requests: 30, rate: 5, errors: 0 });
  expect(prometheus).toMatchObject({ requests: 30, rate: 5, errors: 0, database: { mean: expect.any(Number) } });
  for (const { cpu } of [client, prometheus ?? client]) expect(Object.keys(cpu ?? {})).toEqual(backends);
  normal = `${stem(output)}.json`;
});

test("visits by https: nothing fails", async () => {
  const { code, output } = await sh(["ops/run", "load", "visits", "--https", "--duration", "5s", "--rate", "20"]);
  expect(code, output).toBe(0);
  expect(output).toContain("(https://");
  expect(read(output).client).toMatchObject({ requests: 100, rate: 20, errors: 0 });
});

test("high: nothing fails, both sides agree within a tenth, its rows are gone; compared with another run", async () => {
  const { code, output } = await sh(["ops/run", "load", "high", "--compare", normal]);
  console.log(output);
  expect(code, output).toBe(0);
  const { client, prometheus, notes } = read(output);
  expect(client).toMatchObject({ requests: 3000, errors: 0 });
  expect(prometheus).toMatchObject({ requests: 3000, errors: 0 });
  expect(output).not.toContain("DISAGREE");
  expect(output).toContain("1500 rows taken out again");
  expect(await rows()).toBe(0);
  expect(output).toMatch(/requests\/s, Prometheus +\| [\d.]+ +\| 5\.0 +\| \d+\.\d\d/);
  expect(notes[0]).toMatch(/^answered by: backend\d 1[45]\d\d, backend\d 1[45]\d\d$/);
});

test("desk: the hits and PostgreSQL's CPU of each round, without the cache and with it; its rows are gone", async () => {
  const { code, output } = await sh(["ops/run", "load", "desk", "--duration", "5s"]);
  console.log(output);
  expect(code, output).toBe(0);
  const { client, rounds = [] } = read(output);
  expect(client.errors).toBe(0);
  expect(rounds.map(({ cached, hits }) => [cached, hits > 0])).toEqual(
    Array.from({ length: 6 }, (_, i) => [i % 2 === 1, i % 2 === 1]),
  );
  for (const { cached, lists, hits, cpu } of rounds) {
    expect(cpu).toBeGreaterThan(0);
    if (cached) expect(hits / lists).toBeGreaterThan(0.8);
  }
  expect(await rows()).toBe(0);
});

test("its page opens from the disk, draws, and asks nobody", async () => {
  const browser = await openBrowser();
  try {
    const page = await browser.newPage({ viewport: { width: 1000, height: 900 } });
    const asked: string[] = [];
    const wrong: string[] = [];
    page.on("request", (each) => asked.push(each.url()));
    page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
    page.on("pageerror", (error) => wrong.push(error.message));
    const url = pathToFileURL(normal.replace(/json$/, "html")).href;
    await page.goto(url);
    expect(await page.locator("canvas").count()).toBe(2);
    // Ink in the curves, not only axes: the colours of both plots.
    const colours = await page.evaluate(() =>
      [...document.querySelectorAll("canvas")].map((canvas) => {
        const data = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
        let coloured = 0;
        for (let i = 0; i < data.length; i += 4)
          if ((data[i + 3] ?? 0) > 200 && Math.abs((data[i] ?? 0) - (data[i + 2] ?? 0)) > 80) coloured++;
        return coloured;
      }),
    );
    for (const coloured of colours) expect(coloured).toBeGreaterThan(100);
    expect(asked).toEqual([url]);
    expect(wrong).toEqual([]);
    mkdirSync(localPath("reports", "screenshots"), { recursive: true });
    await page.screenshot({ path: localPath("reports", "screenshots", "load.png"), fullPage: true });
  } finally {
    await browser.close();
  }
});

test("without monitoring the client's metrics stand alone; stress says where its search ended", async () => {
  const { code, output } = await sh(["ops/run", "load", "stress", "--rate", "60", "--duration", "1s"], unmonitored());
  expect(code, output).toBe(0);
  expect(output).toContain("no metrics of Prometheus: the inventory's group monitoring has no host");
  expect(output).toContain("the knee is above 60/s, where the search was to end");
  expect(read(output).steps.map(({ rate }) => rate)).toEqual([50, 60]);
});

test("Ctrl-C in the midst: the table has the requests until then, and the rows are gone", async () => {
  const { child, ended, output } = start("ops/load.ts", ["high", "--connections", "1"], unmonitored());
  await until("rows are written", 20_000, async () => (await rows()) > 20);
  child.kill("SIGINT");
  expect(await ended, output()).toBe(130);
  expect(output()).toMatch(/\d+ rows taken out again/);
  expect(await rows()).toBe(0);
  const { client, interrupted } = read(output());
  expect(interrupted).toBe(true);
  expect(client.requests).toBeLessThan(1000);
  expect(client.errors).toBe(0);
});

test("rows that cannot be taken out: the table all the same, and the command that removes them", async () => {
  const { child, ended, output } = start("ops/load.ts", ["high", "--connections", "1"], unmonitored());
  await until("rows are written", 20_000, async () => (await rows()) > 20);
  await on("balancer", "mv /usr/bin/psql /usr/bin/psql.away");
  try {
    child.kill("SIGINT");
    expect(await ended, output()).toBe(1);
  } finally {
    await on("balancer", "mv /usr/bin/psql.away /usr/bin/psql");
  }
  expect(read(output()).notes[0]).toMatch(/^its rows are still there/);
  expect(await rows()).toBeGreaterThan(20);
  await must(["sh", "-c", output().match(/npm run ssh .*/)?.[0] ?? "false"]);
  expect(await rows()).toBe(0);
});

test("logs: a request that failed over, with both tries and the line of the backend that answered", async () => {
  const [dead = "", alive = ""] = backends;
  const found = async () => {
    const output = await must(["ops/run", "logs", "nginx", "--since", "1m", "--json"]);
    const lines = output.split("\n").filter((line) => line.startsWith("{"));
    const all = lines.map((line) => JSON.parse(line).line);
    return all.find(({ uri, upstream }) => uri === "/-/failover" && upstream.includes(", "))?.id;
  };
  let id: string | undefined;
  await on(dead, `nft insert rule inet halo input tcp dport ${app.port} reject with tcp reset`);
  try {
    for (let i = 0; i < 4; i++) expect((await request("/-/failover")).headers["x-served-by"]).toBe(alive);
    await until("nginx has logged it", 10_000, async () => {
      id = await found();
      return id !== undefined;
    });
  } finally {
    await on(dead, "nft --file /etc/halo/firewall.nft");
  }
  const { code, output } = await sh(["ops/run", "logs", "--request", id ?? ""]);
  expect(code, output).toBe(0);
  const printed = output
    .split("\n")
    .filter((line) => /^\d/.test(line))
    .map((line) => line.slice(19));
  expect(printed.slice(0, 3)).toEqual([
    expect.stringMatching(/^balancer nginx +GET http:\/\/halo\.test\/-\/failover from /),
    expect.stringMatching(
      new RegExp(`^balancer nginx +try 1 of 2: ${dead} .*:${app.port}: 502, no answer after \\d+ ms`),
    ),
    expect.stringMatching(new RegExp(`^balancer nginx +try 2 of 2: ${alive} .*:${app.port}: 404 after \\d+ ms`)),
  ]);
  // The service writes its line when the answer has left: in the ms in which nginx has it, or the next.
  expect(printed.slice(3).toSorted()).toEqual([
    expect.stringMatching(new RegExp(`^${alive} ${app.name} +GET /-/failover 404 .* id=${id}$`)),
    expect.stringMatching(/^balancer nginx +answered 404 with \d+ bytes after \d+ ms$/),
  ]);
  expect(output).toContain(`${dead} has no line of it`);
  await until(`${dead} answers again`, 20_000, async () => (await request("/-/x")).headers["x-served-by"] === dead);
});

test("logs: a note where --lines cut something, and none where it was --since", async () => {
  const noted = async (since: string) =>
    (await must(["ops/run", "logs", "nginx", "--since", since, "--lines", "1"])).includes("only the last 1 lines");
  expect(await noted("1d")).toBe(true);
  await until("a second without a request has no note", 20_000, async () => !(await noted("1s")));
});

test("logs --follow: new lines are shown, and nothing is left running after Ctrl-C", async () => {
  const { child, ended, output } = start("ops/logs.ts", ["nginx", "--follow", "--lines", "0"]);
  let asked = "";
  await until("a request of now is shown", 20_000, async () => {
    asked = String((await request("/-/follow")).headers["x-request-id"]);
    return output().includes("/-/follow");
  });
  await until("the last one too", 10_000, async () => output().includes(`id=${asked}`));
  const readers = () => on("balancer", "pgrep -fc '^tail --quiet.*nginx|^journalctl.*nginx.*follow' || true");
  expect(await readers()).toBe("2");
  child.kill("SIGINT");
  expect(await ended, output()).toBe(0);
  await until("nothing reads the logs any more", 10_000, async () => (await readers()) === "0");
});
