import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../../ops/lib/paths.ts";
import { alerts, ruleFiles } from "../lib/alerts.ts";
import { must } from "../lib/hosts.ts";

const tests = ["alerts", "slow"].map((name) => join(root, `test/rules/${name}.test.yml`));

/** The tests, and the folder of the rules as the role monitoring renders them. */
const folder = mkdtempSync(join(tmpdir(), "halo-rules-"));
const inFolder = (file: string) => join(folder, basename(file));
const rendered: string[] = [];
afterAll(() => rmSync(folder, { recursive: true }));

// Another name than the committed one: it is data.
const settingsOfRules = { metrics_domain: "metrics.example" };

beforeAll(async () => {
  mkdirSync(join(folder, "rules"));
  for (const file of tests) copyFileSync(file, inFolder(file));
  // Prometheus has {{ }} itself; base64 keeps this module from rendering it.
  const content = "{{ __monitoring_rules | to_json | b64encode }}";
  const settings = { content, dest: inFolder("rules.base64"), mode: "0600" };
  await must([
    ...["env", `ANSIBLE_CONFIG=${root}/ansible/ansible.cfg`, "ansible", "localhost", "--playbook-dir", "ansible"],
    ...["--module-name", "ansible.builtin.copy", "--args", JSON.stringify(settings)],
    ...["--extra-vars", "@ansible/roles/monitoring/vars/main.yml"],
    ...["--extra-vars", JSON.stringify(settingsOfRules)],
  ]);
  const rules = Buffer.from(readFileSync(inFolder("rules.base64"), "utf8"), "base64").toString();
  for (const rule of JSON.parse(rules)) {
    const file = join(folder, "rules", basename(rule.path));
    rendered.push(file);
    writeFileSync(file, rule.content);
  }
}, 120_000);

test("each role's rules are a file of their own, and valid (promtool)", async () => {
  expect(rendered).toHaveLength(ruleFiles.length);
  await must(["promtool", "check", "rules", ...rendered]);
});
test("each alert fires at its threshold and not below (promtool)", () =>
  must(["promtool", "test", "rules", ...tests.map(inFolder)]));

describe("each alert is tested, and names its fix", () => {
  const tested = tests.map((file) => readFileSync(file, "utf8")).join("\n");
  const sections = [...readFileSync(join(root, "docs/runbook.md"), "utf8").matchAll(/^### (.+)$/gm)].map(
    ([, title = ""]) => title.toLowerCase(),
  );

  test.each(alerts)("$alert", ({ alert, labels, annotations }) => {
    expect(tested).toMatch(new RegExp(`alertname="${alert}", alertstate="firing"|alertname: ${alert}$`, "m"));
    expect(labels.severity).toBeOneOf(["info", "warning", "critical"]);
    expect(annotations).toEqual({
      summary: expect.any(String),
      description: expect.any(String),
      runbook: expect.stringMatching(/^docs\/runbook\.md#[a-z]+$/),
    });
    expect(sections).toContain(annotations.runbook?.split("#")[1]);
  });
});
