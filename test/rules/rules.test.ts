import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../../ops/lib/paths.ts";
import { alerts, ruleFiles } from "../lib/alerts.ts";
import { must } from "../lib/hosts.ts";

const tests = ["alerts", "slow"].map((name) => join(root, `test/rules/${name}.test.yml`));

/** Where the rules are rendered, each role's by its name, beside their tests. */
const folder = mkdtempSync(join(tmpdir(), "halo-rules-"));
const inFolder = (file: string) => join(folder, basename(file));
const rendered = (file: string) => join(folder, "rules", `${basename(dirname(dirname(file)))}.yml`);
afterAll(() => rmSync(folder, { recursive: true }));

beforeAll(async () => {
  mkdirSync(join(folder, "rules"));
  for (const file of tests) copyFileSync(file, inFolder(file));
  for (const src of ruleFiles) {
    const settings = { src, dest: rendered(src), mode: "0600", variable_start_string: "[[", variable_end_string: "]]" };
    await must([
      ...["ansible", "localhost", "--module-name", "ansible.builtin.template", "--args", JSON.stringify(settings)],
      ...["--extra-vars", "metrics_domain=metrics.example"], // another name than the committed one: it is data
    ]);
  }
}, 120_000);

test("the rules are valid (promtool)", () => must(["promtool", "check", "rules", ...ruleFiles.map(rendered)]));
test("each alert fires at its threshold and not below (promtool)", () =>
  must(["promtool", "test", "rules", ...tests.map(inFolder)]));

describe("each alert is tested, and says what to do", () => {
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
