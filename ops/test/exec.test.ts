import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { outputOfFailure } from "../lib/exec.ts";
import { root } from "../lib/paths.ts";

test.each(["SIGTERM", "SIGHUP"] as const)(
  "%s is for the attached command, whose exit status counts",
  async (signal) => {
    const inner = `process.on("${signal}", () => process.exit(7)); setInterval(() => {}, 1000); console.log("ready")`;
    const child = spawn(process.execPath, [join(import.meta.dirname, "programs/passThrough.ts"), inner]);
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.kill(signal);
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(7);
  },
);

test("a playbook is known again in another time zone and language, until it has ended", async () => {
  const folder = mkdtempSync(join(tmpdir(), "halo-"));
  const identify = join(root, "ansible/parts/lock_owner.sh");
  const env = (zone: string, locale: string) => ({ ...process.env, TZ: zone, LC_ALL: locale });
  try {
    const playbook = join(folder, "ansible-playbook");
    // As Ansible's tasks: the question comes from below a copy of the process.
    writeFileSync(playbook, `( sh -c 'sh "${identify}"' )\nexec 3>&1\nread end\n`);
    const child = spawn("env", ["A=1", "sh", playbook], { env: env("Asia/Jakarta", "de_DE.UTF-8") });
    const said = await new Promise<string>((resolve) => child.stdout.once("data", (data) => resolve(`${data}`.trim())));
    const lives = (zone: string, locale: string) =>
      spawnSync("sh", [identify, "lives", ...said.split(" ")], { env: env(zone, locale) }).status;
    expect(said.split(" ")[0]).toBe(`${child.pid}`);
    expect(lives("UTC", "C")).toBe(0);
    expect(lives("America/New_York", "fr_FR.UTF-8")).toBe(0);
    child.stdin.end("\n");
    await new Promise((resolve) => child.once("exit", resolve));
    expect(lives("Asia/Jakarta", "de_DE.UTF-8")).not.toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a failed playbook's output begins with the task that failed, though other hosts went on", () => {
  const rest = Array.from({ length: 100 }, (_, i) => `ok: [balancer] ${i}`);
  const failure = [
    "TASK [base : Install packages] ****",
    "ok: [balancer]",
    "fatal: [backend2]: FAILED! => ",
    "    msg: no mirror",
  ];
  const lines = outputOfFailure([...failure, "", "PLAY [Next] ****", "", ...rest].join("\n")).split("\n");
  expect(lines.slice(0, 4)).toEqual([failure[0], failure[2], failure[3], ""]);
  expect(lines.slice(4)).toEqual(rest.slice(-40));
});

test("the text of a failure that a playbook repeats at its end is printed once, from its beginning", () => {
  const text = Array.from({ length: 50 }, (_, i) => `        line ${i}`);
  const first = [
    "TASK [app : Check] ****",
    "fatal: [backend1]: FAILED! => ",
    "    assertion: a == 0",
    "    msg: |-",
    ...text,
  ];
  const end = [
    "TASK [End the run] ****",
    "fatal: [backend1]: FAILED! => ",
    "    changed: false",
    "    msg: |-",
    ...text,
  ];
  const others = Array.from({ length: 100 }, (_, i) => `ok: [balancer] ${i}`);
  const recap = ["", "PLAY RECAP ****", "backend1 : ok=1"];
  const printed = outputOfFailure([...first, "", ...others, "", ...end, ...recap].join("\n"));
  expect(printed).toBe([...end.slice(1), ...recap].join("\n"));
});
