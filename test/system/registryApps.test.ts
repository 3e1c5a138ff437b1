import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { withEntry } from "../../ops/apps/entry.ts";
import { appsFile, type Entry, writeAppsText } from "../../ops/cluster/apps.ts";
import { counterSite } from "../../ops/cluster/sites.ts";
import { root } from "../../ops/lib/paths.ts";
import { Repository } from "../../ops/test/support/repository.ts";
import { backends, explainByJournals, must, sh, until } from "../lib/hosts.ts";
import { openSocket, port, request } from "../lib/http.ts";
import { makeRoom } from "../lib/room.ts";

// Programs of npm's registry as they are, each behind a wrapper of six lines: one needs a database, one WebSockets, one a folder to write.
const folder = mkdtempSync(join(tmpdir(), "halo-apps-"));
const [first = ""] = backends;
const keys: Record<string, Omit<Entry, "source">> = {
  postgraphile: {
    start: "node server.js",
    postgres: true,
    migrate: { sql: "sql" },
    health: "/graphiql",
    timeout: "5s",
  },
  // A backend knows its own clients only.
  peer: { start: "node server.js", websocket: true, hosts: first },
  "json-server": { start: "node server.js", writable: ["data"], hosts: first },
};
const names = Object.keys(keys);
const domainOf = (name: string) => `${name}.${counterSite().domain}`;
const committed = readFileSync(join(root, appsFile), "utf8");
const { env, takeBack } = await makeRoom(folder, 2048);
const headersOf = (name: string) => ({ Host: domainOf(name), "Content-Type": "application/json" });
const ask = (name: string, path: string, body?: object) =>
  request(path, { method: body ? "POST" : "GET", port, headers: headersOf(name) }, body && JSON.stringify(body));

beforeEach(explainByJournals);

beforeAll(async () => {
  const repositories = names.map((name) => Repository.of(name, join(folder, name)));
  for (const repository of repositories) {
    await must([
      "npm",
      "install",
      "--package-lock-only",
      "--ignore-scripts",
      "--no-audit",
      "--prefix",
      repository.folder,
    ]);
    repository.commit();
  }
  const text = names.reduce(
    (all, name, i) =>
      withEntry(all, name, { source: repositories[i]?.address, domains: [domainOf(name)], ...keys[name] } as Entry),
    committed,
  );
  writeAppsText(text);
  await must(["ops/run", "up"], env);
});

afterAll(async () => {
  const removed = await sh(["npm", "run", "-s", "remove", "--", ...names, "--purge", "--yes"], env);
  writeAppsText(committed);
  await takeBack();
  rmSync(folder, { recursive: true });
  expect(removed.code, removed.output).toBe(0);
});

test("postgraphile answers from its own database", async () => {
  const { status, body } = await ask("postgraphile", "/graphql", { query: "{ allItems { nodes { name } } }" });
  expect([status, JSON.parse(body)]).toEqual([200, { data: { allItems: { nodes: [{ name: "tea" }] } } }]);
});

test("peer opens a WebSocket, and says its first words on it", async () => {
  const socket = await openSocket(domainOf("peer"), "/peerjs?key=peerjs&id=one&token=two&version=1.5.4");
  await until("its first words", 10_000, async () => socket.words.length > 0);
  socket.close();
  expect(socket.words[0]).toContain('"type":"OPEN"');
});

test("json-server keeps what it writes, also through a deploy", async () => {
  expect((await ask("json-server", "/items", { name: "tea" })).status).toBe(201);
  const { code, output } = await sh(["npm", "run", "-s", "deploy", "--", "json-server"], env);
  expect(code, output).toBe(0);
  expect(JSON.parse((await ask("json-server", "/items")).body)).toEqual([{ id: 1, name: "tea" }]);
});
