import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { root } from "../lib/paths.ts";

let folder = "";
const events = () => join(folder, "var/lib/prometheus/node-exporter/halo-events.prom");
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "halo-planned-"));
  for (const each of ["var/lib/prometheus/node-exporter", "run", "bin"])
    mkdirSync(join(folder, each), { recursive: true });
  writeFileSync(join(folder, "bin/amtool"), `#!/bin/sh\necho "$*" >>${folder}/amtool; echo an-id\n`);
  chmodSync(join(folder, "bin/amtool"), 0o755);
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Runs the program as a careful host does: an umask that hides everything, no locale. `text` may have escapes of a shell's printf for bytes. */
const planned = (text: string, action = "begin", ...more: string[]) => {
  const line = `umask 077; exec "$0" ${action} drill "$(printf '${text}')" "$@"`;
  const file = join(root, "ansible/roles/monitoring/files/halo-planned");
  const env = { PATH: `${folder}/bin:${process.env.PATH}`, HALO_PLANNED_ROOT: folder, LC_ALL: "C" };
  const done = spawnSync("sh", ["-c", line, file, ...more], { env, encoding: "utf8" });
  expect(done.status).toBe(0);
  return done;
};
const lines = () => readFileSync(events(), "utf8").trimEnd().split("\n");

test.each([
  ["one of 36 characters of 3 bytes is whole", "中".repeat(36), "中".repeat(36)],
  ["a long one is cut by characters", "中".repeat(150), "中".repeat(100)],
  ["quotes and backslashes are escaped", String.raw`a "b" \\ c`, String.raw`a \"b\" \\ c`],
  ["characters that end a line are left out", String.raw`a\r\nb\tc`, "abc"],
  ["bytes that are no UTF-8 are replaced", String.raw`a\377b`, "a\ufffdb"],
])("a mark: %s", (_, given, text) => {
  planned(given);
  expect(lines()).toEqual([
    expect.stringMatching(/^halo_event_timestamp_seconds\{kind="drill",text=".*",edge="begin",begin="(\d{10})"\} \1$/),
  ]);
  expect(lines()[0]).toContain(`text="${text}",`);
  const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
  const locks = join(folder, "run/halo-locks");
  expect([events(), locks, join(locks, "planned")].map(mode)).toEqual(["644", "700", "600"]);
});

const line = (text: string, at: number, edge = "begin", begin = at) =>
  `halo_event_timestamp_seconds{kind="drill",text="${text}",edge="${edge}",begin="${begin}"} ${at}`;

test("a bad line goes and takes no other with it; 100 are kept", () => {
  const cut = Buffer.from("中").subarray(0, 2);
  const [before, after] = line("cut", 5).split("cut") as [string, string];
  writeFileSync(
    events(),
    Buffer.concat([
      Buffer.from(
        `${line("kept", 1)}\nno mark\n${line('"', 3)}\nhalo_event_timestamp_seconds{kind="drill",text="old",edge="end"} 4\n${before}`,
      ),
      cut,
      Buffer.from(`${after}\n${line("torn", 6).slice(0, 30)}`),
    ]),
  );
  planned("new");
  expect(lines().map((each) => each.match(/text="(.*?)"/)?.[1])).toEqual(["kept", "new"]);
  writeFileSync(events(), Array.from({ length: 105 }, (_, at) => `${line(`mark ${at}`, at)}\n`).join(""));
  planned("last");
  expect(lines()).toHaveLength(100);
  expect(lines()[0]).toContain('"mark 6"');
});

test("each begin keeps its line, and an end names the last one that is open", () => {
  writeFileSync(
    events(),
    [line("a", 1), line("a", 2, "end", 1), line("a", 3), line("b", 4), line("a", 5)]
      .map((each) => `${each}\n`)
      .join(""),
  );
  planned("a", "end");
  expect(lines()).toHaveLength(6);
  expect(lines()[5]).toMatch(/text="a",edge="end",begin="5"\} \d{10}$/);
  planned("a", "end");
  expect(lines()[6]).toMatch(/text="a",edge="end",begin="3"\} \d{10}$/);
});

test("an end without a begin is no mark", () => {
  planned("a", "end");
  expect(existsSync(events())).toBe(false);
  planned("a");
  planned("a", "end");
  planned("a", "end");
  planned("b", "end");
  expect(lines().map((each) => each.match(/edge="(\w+)"/)?.[1])).toEqual(["begin", "end"]);
});

test("the silence gets the text and the matchers, and its end; without the folder the work goes on", () => {
  expect(planned("a text", "begin", "300", "host=backend1", 'alertname=~"A|B"').stdout).toBe("an-id\n");
  planned("a text", "end", "an-id");
  const [add, update] = readFileSync(join(folder, "amtool"), "utf8").split("\n");
  expect(add).toBe(
    'silence add --author=halo --comment=drill: a text --duration=300s -- host=backend1 alertname=~"A|B"',
  );
  expect(update).toMatch(/^silence update --end=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ an-id$/);
  rmSync(join(folder, "var"), { recursive: true });
  const done = planned("a text", "begin", "300", "host=backend1");
  expect([done.stdout, done.stderr]).toEqual(["an-id\n", expect.stringMatching(/no mark: .*Fix: /)]);
  expect(existsSync(events())).toBe(false);
});
