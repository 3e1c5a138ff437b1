import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { localPath } from "./paths.ts";

/**
 * Variables for Ansible as the text of a YAML file. Ansible takes an extra variable of its command line for a template and runs
 * the expression between braces; `!unsafe` says that this one is none, whatever is in it.
 */
export const extraVars = (vars: Record<string, string | string[] | boolean>): string =>
  Object.entries(vars)
    .map(([name, value]) => `${name}: ${Array.isArray(value) ? `[${value.map(scalar).join(", ")}]` : scalar(value)}\n`)
    .join("");

const scalar = (value: string | boolean): string =>
  typeof value === "string" ? `!unsafe ${quoted(value)}` : String(value);

/** A double-quoted YAML scalar in ASCII: JSON's, whose escapes YAML knows, but YAML puts no two surrogates together. */
const quoted = (text: string): string =>
  JSON.stringify(text.toWellFormed()).replace(
    /[^ -~]/gu,
    (char) => `\\U${char.codePointAt(0)?.toString(16).padStart(8, "0")}`,
  );

/** Hands variables to a playbook: `run` gets the arguments that name them. The file exists as long as it runs. */
export async function withExtraVars<T>(
  vars: Record<string, string | string[] | boolean>,
  run: (args: string[]) => Promise<T>,
): Promise<T> {
  mkdirSync(localPath(), { recursive: true });
  const folder = mkdtempSync(localPath("vars-")); // mode 0700
  try {
    const file = join(folder, "vars.yml");
    writeFileSync(file, extraVars(vars));
    return await run(["--extra-vars", `@${file}`]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
