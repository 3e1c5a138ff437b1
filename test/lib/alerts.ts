import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { root } from "../../ops/lib/paths.ts";

export type Alert = {
  alert: string;
  expr: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
};
type Rule = Alert | { record: string; expr: string };

/** Prometheus' files of rules, as Ansible's templates: [[ ]] is a variable, and each is YAML before it is rendered as well. */
export const ruleFiles = globSync(join(root, "ansible/roles/*/templates/rules.yml")).sort();

/** Every rule of these files, in their order. */
export const rules: Rule[] = ruleFiles.flatMap((file) =>
  (parse(readFileSync(file, "utf8")) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules),
);

export const alerts: Alert[] = rules.filter((rule) => "alert" in rule);

/** The names of the metrics that a PromQL expression reads. */
export function metricsOf(expr: string): string[] {
  const bare = expr
    .replaceAll(/"[^"]*"|\{[^}]*\}|\[[^\]]*\]/g, " ")
    .replaceAll(/\b(by|on|without|ignoring|group_left|group_right) *\([^)]*\)/g, " ");
  const names = [...bare.matchAll(/(?<![\w.:])[a-z][\w:]*(?!\w| *\()/gi)].map(([name]) => name);
  return [...new Set(names)].filter((name) => !/^(and|or|unless|bool|offset|by|on)$/.test(name));
}

/** The threshold of an alert that compares a recorded value, a rate over 5 minutes, or a share of bytes. */
export function thresholdOf(name: string): number {
  const expr = alerts.find(({ alert }) => alert === name)?.expr ?? "";
  return Number(expr.match(/(?:ratio1m|p95_1m|mean1m|ratio|\[5m\]\)\)|_bytes\)) [<>] ([\d.]+)/)?.[1]);
}
