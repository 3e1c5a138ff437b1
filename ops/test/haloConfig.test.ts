import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { root } from "../lib/paths.ts";

// A run of the module takes half a second, and more than five beside six other clusters.
vi.setConfig({ testTimeout: 180_000 });

// The Python of Ansible: the module imports Ansible's own.
const ansible = execFileSync("sh", ["-c", "command -v ansible-playbook"], { encoding: "utf8" }).trim();
const [python = "", ...options] =
  readFileSync(ansible, "utf8")
    .split("\n", 1)[0]
    ?.replace(/^#!\s*/, "")
    .split(" ") ?? [];
const owner = userInfo().username;
const group = execFileSync("id", ["-gn"], { encoding: "utf8" }).trim();

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "halo-config-"));
  mkdirSync(join(folder, "run"));
  mkdirSync(join(folder, "bin"));
  copyFileSync(join(import.meta.dirname, "programs/systemctl.sh"), join(folder, "bin/systemctl"));
  chmodSync(join(folder, "bin/systemctl"), 0o755);
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (path: string) => join(folder, path);
const mode = (path: string) => (statSync(at(path)).mode & 0o7777).toString(8);
const read = (path: string) => readFileSync(at(path), "utf8");
const put = (path: string, text: string) => {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), text);
};
/** The calls of systemctl that change something, since the last time. */
const calls = () => {
  const said = existsSync(at("calls")) ? read("calls").trim().split("\n") : [];
  rmSync(at("calls"), { force: true });
  return said;
};
const file = (path: string, content: unknown, more = {}) => ({ path: at(path), content, owner, group, ...more });

/** Runs the module as Ansible does on a host, under an umask that hides everything. */
function run(settings: object, { check = false } = {}) {
  const args = { runtime_dir: at("run"), ...settings, _ansible_check_mode: check, _ansible_diff: true };
  const done = spawnSync(
    "sh",
    ["-c", 'umask 077; exec "$@"', "sh", python, ...options, join(root, "ansible/library/halo_config.py")],
    {
      input: JSON.stringify({ ANSIBLE_MODULE_ARGS: args }),
      encoding: "utf8",
      env: { ...process.env, PATH: `${at("bin")}:${process.env.PATH}`, LC_ALL: "C" },
    },
  );
  expect(done.stdout, done.stderr).not.toBe("");
  return { ...JSON.parse(done.stdout), text: done.stdout };
}

test("files and folders get their mode whatever the umask, and a second run changes nothing", () => {
  const wanted = {
    folders: [{ path: at("etc/rules"), owner, group }],
    files: [file("etc/rules/a.yml", "é: {{ not a template }}\n"), file("etc/deep/er/b", "b", { mode: "0640" })],
  };
  const first = run(wanted);
  expect(first).toMatchObject({
    changed: true,
    written: [at("etc/rules/a.yml"), at("etc/deep/er/b")],
    folders: [at("etc/rules")],
  });
  expect(read("etc/rules/a.yml")).toBe("é: {{ not a template }}\n");
  const modes = ["etc", "etc/rules", "etc/rules/a.yml", "etc/deep", "etc/deep/er", "etc/deep/er/b"].map(mode);
  expect(modes).toEqual(["755", "755", "644", "755", "755", "640"]);
  expect(run(wanted)).toMatchObject({ changed: false, diff: [], units: {} });

  chmodSync(at("etc/rules"), 0o700);
  chmodSync(at("etc/rules/a.yml"), 0o600);
  const again = run(wanted);
  expect(again.diff.map((each: { before: string; after: string }) => [each.before, each.after])).toEqual([
    ["mode: 0700\n", "mode: 0755\n"],
    ["mode: 0600\n", "mode: 0644\n"],
  ]);
  expect([mode("etc/rules"), mode("etc/rules/a.yml")]).toEqual(["755", "644"]);
});

test("check mode shows each difference and what would be restarted, validates, and changes nothing", () => {
  put("etc/a.yml", "old\n");
  put("etc/gone.yml", "gone\n");
  const wanted = {
    folders: [{ path: at("etc"), owner, group, only: "*.yml", reload: ["reads"] }],
    files: [
      file("etc/a.yml", "new\n", { reload: ["reads"] }),
      file("systemd/system/unit.service.d/halo.conf", "[Service]\n"),
    ],
    validate: [["grep", "-q", "new", `%s${at("etc/a.yml")}`]],
    running: ["reads", "unit"],
    stopped: ["off"],
  };
  for (const check of [true, false]) {
    const said = run(wanted, { check });
    expect(said).toMatchObject({ changed: true, units: { reads: "reload", unit: "restart", off: "stop" } });
    expect(said.diff.map((each: Record<string, string>) => [each.before, each.after])).toContainEqual([
      "old\n",
      "new\n",
    ]);
    expect(said.diff).toContainEqual(
      expect.objectContaining({ before: "gone\n", after: "", after_header: "/dev/null" }),
    );
    expect(said.diff).toContainEqual({ prepared: expect.stringMatching(/^reload reads\nrestart unit$/m) });
    if (check) {
      expect([read("etc/a.yml"), read("etc/gone.yml"), existsSync(at("systemd")), calls()]).toEqual([
        "old\n",
        "gone\n",
        false,
        [],
      ]);
      const refused = run(
        { ...wanted, validate: [["sh", "-c", `echo %s${at("etc/a.yml")}:1: wrong; false`]] },
        { check },
      );
      expect([refused.failed, refused.msg]).toEqual([
        true,
        expect.stringMatching(`^${at("etc/a.yml")}:1: wrong\n.*Fix: `),
      ]);
    }
  }
  expect([read("etc/a.yml"), existsSync(at("etc/gone.yml"))]).toEqual(["new\n", false]);
  expect(calls()).toEqual(["daemon-reload", "disable --now --quiet off", "reload reads", "restart unit"]);
  expect(execFileSync("ls", ["-A", at("run")], { encoding: "utf8" })).toBe("");
});

test("wrong files are refused together, and nothing is put in place", () => {
  put("etc/a.yml", "old\n");
  const said = run({
    files: [file("etc/a.yml", "new\n"), file("etc/b.yml", "wrong\n")],
    validate: [["grep", "-L", "x", "/"], ["false"]],
  });
  expect([said.failed, said.msg]).toEqual([true, expect.stringContaining("the old ones stay")]);
  expect([read("etc/a.yml"), existsSync(at("etc/b.yml"))]).toEqual(["old\n", false]);
});

test("a run that was cut short leaves what the next one restarts, each its own", () => {
  const wanted = { files: [file("a", "new\n", { restart: ["mine", "other"], reload: ["also"] })], running: ["mine"] };
  writeFileSync(at("refused"), "restart mine");
  expect(run(wanted)).toMatchObject({
    failed: true,
    msg: expect.stringMatching(/systemctl restart mine: Job failed.*Fix: /),
  });
  rmSync(at("refused"));
  calls();
  expect(run(wanted, { check: true })).toMatchObject({ changed: true, written: [], units: { mine: "restart" } });
  expect(run(wanted)).toMatchObject({ changed: true, written: [], units: { mine: "restart" } });
  expect(run(wanted)).toMatchObject({ changed: false });
  expect(run({ running: ["other", "also"] })).toMatchObject({
    changed: true,
    units: { other: "restart", also: "reload" },
  });
  expect(calls().filter((call) => call !== "daemon-reload")).toEqual(["restart mine", "restart other", "reload also"]);
  writeFileSync(at("run/halo-config.json"), '{"restart": ["mi');
  expect(run(wanted)).toMatchObject({ changed: false });
});

test("a unit that has not read its files since they were written reads them, in its own way", () => {
  const since = (unit: string, time: Date) =>
    writeFileSync(
      at(`${unit}.state`),
      `UnitFileState=enabled\nActiveState=active\nStateChangeTimestamp=${execFileSync(
        "date",
        ["--utc", `--date=@${time.getTime() / 1000}`, "+%a %F %T.%6N UTC"],
        { encoding: "utf8", env: { ...process.env, LC_ALL: "C" } },
      )}`,
    );
  const wanted = {
    files: [
      file("a", "new\n", { restart: ["restarts"], reload: ["reloads"] }),
      file("systemd/system/waits.service.d/halo.conf", "[Service]\n", { restart_unit: false }),
    ],
    running: ["restarts", "reloads", "waits"],
  };
  run(wanted);
  calls();
  const minute = 60_000;
  for (const unit of wanted.running) since(unit, new Date(Date.now() + minute));
  expect(run(wanted)).toMatchObject({ changed: false });
  for (const unit of wanted.running) since(unit, new Date(Date.now() - minute));
  const units = { restarts: "restart", reloads: "reload" };
  expect(run(wanted, { check: true })).toMatchObject({ changed: true, written: [], units });
  expect(run(wanted).units).toEqual(units);
  expect(calls()).toEqual(["daemon-reload", "restart restarts", "reload reloads"]);
});

test("units are enabled and started, others disabled and stopped, where that is needed", () => {
  writeFileSync(at("new.state"), "UnitFileState=disabled\nActiveState=inactive\n");
  writeFileSync(at("absent.state"), "UnitFileState=\nActiveState=inactive\n");
  writeFileSync(at("static.state"), "UnitFileState=static\nActiveState=active\n");
  const said = run({ running: ["runs", "new", "static"], stopped: ["absent", "on"] });
  expect(said).toMatchObject({ changed: true, units: { new: "start", on: "stop" } });
  expect(calls()).toEqual(["disable --now --quiet on", "enable --quiet new", "start new"]);
});

test("a secret is in no output, neither the old nor the new", () => {
  put("secret", "user: a\npassword: hunter2-old\n");
  const { content: _, ...secret } = file("secret", "", { secret: "user: b\npassword: hunter2-new\n", mode: "0600" });
  for (const hide of [undefined, "(?<=password: ).+"]) {
    const said = run({ files: [{ ...secret, hide }] }, { check: true });
    expect(said.changed).toBe(true);
    expect(said.text).not.toContain("hunter2");
    expect(said.text.includes("user: b")).toBe(hide !== undefined);
  }
  const only = run({ files: [{ ...secret, secret: "user: a\npassword: hunter2-new\n", hide: "(?<=password: ).+" }] });
  expect(only.diff).toContainEqual({ prepared: `${at("secret")}: only secret parts of it differ\n` });
  expect(only.text).not.toContain("hunter2");
  expect(mode("secret")).toBe("600");

  const gone = run({ folders: [{ path: at("."), owner, group, only: "secret" }] });
  expect([gone.removed, gone.text.includes("hunter2")]).toEqual([[at("secret")], false]);
  expect(gone.diff).toContainEqual({ prepared: `${at("secret")}: removed\n` });
});

test("a link in a file's place is replaced, and a structure for a text is refused", () => {
  put("target", "kept\n");
  symlinkSync(at("target"), at("link"));
  expect(run({ files: [file("link", "new\n")] })).toMatchObject({ changed: true });
  expect([read("target"), read("link")]).toEqual(["kept\n", "new\n"]);
  expect(run({ files: [file("link", { a: 1 })] })).toMatchObject({
    failed: true,
    msg: expect.stringContaining("not text. Fix: "),
  });
});
