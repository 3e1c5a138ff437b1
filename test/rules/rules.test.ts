import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "../../ops/lib/project.ts";
import { alerts, ruleFiles } from "../lib/alerts.ts";
import { must } from "../lib/hosts.ts";

const tests = ["alerts", "slow"].map((name) => join(root, `test/rules/${name}.test.yml`));

test("the rules are valid (promtool)", () => must(["promtool", "check", "rules", ...ruleFiles]));
test("each alert fires at its threshold and not below (promtool)", () => must(["promtool", "test", "rules", ...tests]));

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
