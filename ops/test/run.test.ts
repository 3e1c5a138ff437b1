import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "halo-run-"));
  mkdirSync(join(folder, "ops"));
  copyFileSync(join(import.meta.dirname, "../run"), join(folder, "ops/run"));
  writeFileSync(join(folder, "package-lock.json"), "{}");
  mkdirSync(join(folder, "bin"));
  copyFileSync(join(import.meta.dirname, "programs/npm.sh"), join(folder, "bin/npm"));
  chmodSync(join(folder, "bin/npm"), 0o755);
  packNode("echo v26");
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Makes a shell line the Node of the packages that are installed from now on. */
const packNode = (line: string) => writeFileSync(join(folder, "bin/node-of-packages"), `#!/bin/sh\n${line}\n`);

const run = (env = {}) =>
  spawnSync("bash", [join(folder, "ops/run"), "doctor"], {
    encoding: "utf8",
    env: { ...process.env, PATH: `${folder}/bin:${process.env.PATH}`, ...env },
  });
const asked = () => (existsSync(join(folder, "npm.log")) ? readFileSync(join(folder, "npm.log"), "utf8") : "");

test("all packages are installed, whatever the caller's NODE_ENV and omit, and only once", () => {
  expect(run({ NODE_ENV: "production", npm_config_omit: "dev" })).toMatchObject({ status: 0, stdout: "v26\n" });
  expect(asked()).toMatch(/^NODE_ENV= ci --include=dev --include=optional /);
  expect(run()).toMatchObject({ status: 0, stderr: "" });
  expect(asked().trim().split("\n")).toHaveLength(1);
});

test("packages of another platform are installed again", () => {
  run();
  writeFileSync(join(folder, "node_modules/.bin/node"), Buffer.from("7f454c46020101", "hex"));
  expect(run()).toMatchObject({ status: 0, stdout: "v26\n" });
  expect(asked().trim().split("\n")).toHaveLength(2);
});

test("packages without the development part are installed again", () => {
  run();
  rmSync(join(folder, "node_modules/.bin/vitest"));
  expect(run().status).toBe(0);
  expect(asked().trim().split("\n")).toHaveLength(2);
});

test("a Node that does not start is said with its words and a fix", () => {
  packNode("echo libatomic.so.1 is missing >&2; exit 127");
  const { status, stderr } = run();
  expect(status).toBe(1);
  expect(stderr).toMatch(/does not start here: libatomic\.so\.1 is missing\nFix: rm -rf node_modules/);
});

test("a folder in which Ansible and ssh cannot work is refused; one with blanks and % is not", () => {
  for (const [name, status] of [
    ["o'brien", 1],
    ["a,b", 1],
    ["a b%2Fc", 0],
  ] as const) {
    cpSync(join(folder, "ops"), join(folder, name, "ops"), { recursive: true });
    writeFileSync(join(folder, name, "package-lock.json"), "{}");
    const done = spawnSync("bash", [join(folder, name, "ops/run"), "doctor"], {
      encoding: "utf8",
      env: { ...process.env, PATH: `${folder}/bin:${process.env.PATH}` },
    });
    expect([name, done.status], done.stderr).toEqual([name, status]);
    if (status === 1) expect(done.stderr).toMatch(/cannot work in this folder.*\nFix: move the project/);
  }
});

test("programs get a UTF-8 locale without translations, whatever the caller's is", () => {
  packNode('echo "$LC_ALL"');
  expect(run({ LC_ALL: "C" }).stdout).toMatch(/^(C|en_US)\.UTF-8$/m);
});
