import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { replaceText } from "../lib/replace.ts";

const folder = mkdtempSync(join(tmpdir(), "halo-replace-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a text that is replaced keeps its file's owner and mode, and the link to it", () => {
  mkdirSync(join(folder, "else"));
  const file = join(folder, "else/hosts.yml");
  const link = join(folder, "hosts.yml");
  writeFileSync(file, "old");
  chmodSync(file, 0o640);
  if (process.getuid?.() === 0) chownSync(file, 65534, 65534);
  symlinkSync("else/hosts.yml", link);
  const { uid, gid, mode } = statSync(file);

  replaceText(link, "new");
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(readFileSync(file, "utf8")).toBe("new");
  expect(statSync(file)).toMatchObject({ uid, gid, mode });
  expect(readdirSync(join(folder, "else"))).toEqual(["hosts.yml"]);
});

test("a file that is missing is made", () => {
  replaceText(join(folder, "apps.yml"), "apps: {}\n");
  expect(readFileSync(join(folder, "apps.yml"), "utf8")).toBe("apps: {}\n");
});
