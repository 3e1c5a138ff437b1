import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { root } from "../../ops/lib/paths.ts";
import { must, sh } from "../lib/hosts.ts";

/** Runs a linter; its findings are the failure's text. */
async function clean(argv: string[]): Promise<void> {
  const { code, output } = await sh(argv);
  expect(output.trim() && code !== 0 ? output : "", argv.join(" ")).toBe("");
  expect(code).toBe(0);
}

/** The committed files with such a name, or with such a first line. */
async function programs(name: RegExp, shebang: RegExp): Promise<string[]> {
  const files = (await must(["git", "ls-files"])).split("\n").filter((file) => existsSync(join(root, file)));
  return files.filter((file) => name.test(file) || shebang.test(readFileSync(join(root, file), "utf8")));
}

test("shell scripts (shellcheck)", async () => {
  const scripts = await programs(/\.sh$/, /^#!.*\b(ba)?sh\n/);
  expect(scripts).toContain("ansible/roles/app/files/pm2");
  await clean(["shellcheck", ...scripts]);
});
test("the facts and the checks of all roles are one program each (shellcheck)", async () => {
  const folder = mkdtempSync(join(tmpdir(), "halo-programs-"));
  try {
    for (const name of ["host_facts", "verify"]) {
      const settings = {
        src: join(root, "ansible/parts", `${name}.j2`),
        dest: join(folder, `${name}.sh`),
        mode: "0600",
      };
      await must([
        ...["env", `ANSIBLE_CONFIG=${root}/ansible/ansible.cfg`, "ansible", "localhost", "--playbook-dir", "ansible"],
        ...["--module-name", "ansible.builtin.template", "--args", JSON.stringify(settings)],
      ]);
      await clean(["shellcheck", settings.dest]);
    }
    expect(readFileSync(join(folder, "verify.sh"), "utf8")).toMatch(/firewall is loaded[\s\S]*redis runs/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
test("Python programs (pyflakes)", async () => {
  const scripts = await programs(/\.py$/, /^#!.*\bpython3?\b/);
  expect(scripts).toContain("ansible/roles/monitoring/files/halo-planned");
  await clean(["pyflakes3", ...scripts]);
});
test("scripts for the hosts read other programs' output untranslated, whatever the language of host and caller", async () => {
  const files = (await must(["git", "ls-files", "ansible"])).split("\n").filter((file) => existsSync(join(root, file)));
  const scripts = files.filter((file) => /^#!.*\bsh\n/.test(readFileSync(join(root, file), "utf8")));
  expect(scripts).toContain("ansible/roles/postgres/files/halo-migrate");
  // The first command, but for `set` and `umask`.
  const without = scripts.filter(
    (file) =>
      !/^(#.*\n)+((set|umask) .*\n)*export LC_ALL=C\.UTF-8 LANGUAGE=/.test(readFileSync(join(root, file), "utf8")),
  );
  expect(without).toEqual([]);
});
test("YAML (yamllint, strict)", () => clean(["yamllint", "--strict", "."]));
test("Ansible (ansible-lint, profile production)", () =>
  clean(["ansible-lint", "--offline", "--profile", "production", "ansible"]));
test("the Vagrantfile is valid, with no hypervisor in sight", () =>
  clean(["env", "PATH=/usr/bin:/bin", "vagrant", "validate", "--ignore-provider"]));
test.each(readdirSync(join(root, "ansible")).filter((file) => file.endsWith(".yml")))(
  "%s is a playbook (syntax check)",
  async (file) => {
    await must([
      "env",
      `ANSIBLE_CONFIG=${root}/ansible/ansible.cfg`,
      "ansible-playbook",
      "--syntax-check",
      `ansible/${file}`,
    ]);
  },
);

describe("every role variable has a reason in defaults and an entry in argument_specs", () => {
  test.each(readdirSync(join(root, "ansible/roles")))("%s", (role) => {
    const text = readFileSync(join(root, "ansible/roles", role, "defaults/main.yml"), "utf8");
    const defaults = parse(text) ?? {};
    const specs = parse(readFileSync(join(root, "ansible/roles", role, "meta/argument_specs.yml"), "utf8"));
    const options = specs.argument_specs.main.options ?? {};
    const optional = Object.keys(options).filter((name) => !options[name].required);
    expect(optional.sort()).toEqual(Object.keys(defaults).sort());
    for (const name of optional) expect([name, options[name].default]).toEqual([name, defaults[name]]);
    const lines = text.split("\n");
    for (const name of Object.keys(defaults))
      expect(
        lines[lines.findIndex((line) => line.startsWith(`${name}:`)) - 1],
        `${role}: ${name} has no comment above it`,
      ).toMatch(/^#/);
  });
});

test("no registry or mirror of this machine is named in a committed file", async () => {
  const settings = await must([
    "sh",
    "-c",
    "npm config get registry; cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true",
  ]);
  const names = new Set([...settings.matchAll(/https?:\/\/([^/\s:]+)/g)].map((match) => String(match[1])));
  expect(names.size).toBeGreaterThan(0);
  for (const name of names)
    expect(await sh(["git", "grep", "-nIF", name, "--", ".", ":!*.lock"])).toEqual({ code: 1, output: "" });
});
