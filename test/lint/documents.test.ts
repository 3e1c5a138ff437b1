import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../ops/lib/paths.ts";
import { sourceFiles } from "../../ops/lib/source.ts";
import { readUsages } from "../../ops/lib/usage.ts";
import { anchorOf } from "../../ops/web/document.ts";

const tracked = sourceFiles(root, root);
const documents = tracked.filter((file) => file.endsWith(".md"));
const read = (file: string) => readFileSync(join(root, file), "utf8");

/** A document without its fenced blocks and comments. */
const prose = (file: string) => read(file).replace(/^```[\s\S]*?^```|<!--[\s\S]*?-->/gm, "");

/** The anchors of a document's headings; a second one of the same name has a number. */
function anchors(file: string): string[] {
  const seen = new Map<string, number>();
  return [...prose(file).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = ""]) => {
    const anchor = anchorOf(heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1"));
    const times = seen.get(anchor) ?? 0;
    seen.set(anchor, times + 1);
    return times === 0 ? anchor : `${anchor}-${times}`;
  });
}

test("every link of a document leads to a file and a heading", () => {
  const broken = documents.flatMap((file) =>
    [...prose(file).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link = ""]) => link)
      .filter((link) => !/^(https?|mailto):/.test(link))
      .filter((link) => {
        const [path = "", anchor] = link.split("#");
        const target = path ? join(dirname(file), path) : file;
        if (!existsSync(join(root, target))) return true;
        return anchor !== undefined && !anchors(target).includes(anchor);
      })
      .map((link) => `${file}: ${link}`),
  );
  expect(broken).toEqual([]);
});

test("every npm command that a file names is in package.json", () => {
  const { scripts } = JSON.parse(read("package.json"));
  const missing = tracked
    .filter((file) => /\.(md|ts|yml|j2|sh|py)$|\/halo-[a-z]+$/.test(file))
    .flatMap((file) =>
      [...read(file).matchAll(/npm run (?:-s )?([a-z][a-z:]*[a-z])/g)]
        .filter(([, name = ""]) => !(name in scripts))
        .map(([command]) => `${file}: ${command}`),
    );
  expect(missing).toEqual([]);
});

test("every option that a document gives a command is in the command's help", () => {
  const usages = readUsages(join(root, "ops"), join(root, "bench"));
  const others = ["exec", "ssh"]; // their options are another command's
  const missing = documents.flatMap((file) =>
    [...read(file).matchAll(/npm run (?:-s )?([a-z:]+)(?: \[?|`, `)-- ([^`\n#|]*)/g)]
      .filter(([, name = ""]) => !others.includes(name) && !name.startsWith("test:"))
      .flatMap(([, name = "", text = ""]) =>
        [...text.matchAll(/(?<![\w-])--?[a-z][a-z-]*/g)]
          .filter(
            ([option]) => option !== "--help" && !new RegExp(`(^|[\\s,])${option}\\b`, "m").test(usages[name] ?? ""),
          )
          .map(([option]) => `${file}: npm run ${name} -- ${option}`),
      ),
  );
  expect(missing).toEqual([]);
});

test("every path of docs/ and every decision that a file names exists", () => {
  const decisions = readdirSync(join(root, "docs/decisions")).map((file) => file.slice(0, 4));
  const missing = tracked
    .filter((file) => !/\.(lock|ico)$/.test(file))
    .flatMap((file) => [
      ...[...read(file).matchAll(/docs\/[\w/.-]*\w/g)]
        .map(([path]) => path)
        .filter((path) => /^docs\/.*\.md$/.test(path) && !existsSync(join(root, path)))
        .map((path) => `${file}: ${path}`),
      ...[...read(file).matchAll(/\bdecision (\d{4})/g)]
        .filter(([, number = ""]) => !decisions.includes(number))
        .map(([text]) => `${file}: ${text}`),
    ]);
  expect(missing).toEqual([]);
});

test("every path of the tree that a document names exists", () => {
  const made = /NNNN|^ansible\/inventory\/servers\.yml$/; // a placeholder, and a file that a reader makes
  const missing = documents.flatMap((file) =>
    [...read(file).matchAll(/`((?:ansible|app|bench|lab|nginx|ops|test|vagrant)\/[\w./-]*\w\/?)/g)]
      .map(([, path = ""]) => path)
      .filter((path) => !made.test(path) && !/[A-Z]{4}/.test(path) && !existsSync(join(root, path)))
      .map((path) => `${file}: ${path}`),
  );
  expect(missing).toEqual([]);
});

test("every decision has a number of its own, a date, a status, three parts, and a line in the index", () => {
  const files = readdirSync(join(root, "docs/decisions")).filter((file) => file !== "README.md");
  const index = read("docs/decisions/README.md");
  expect(files.map((file) => Number(file.slice(0, 4))).sort((a, b) => a - b)).toEqual(files.map((_, i) => i + 1));
  for (const file of files) {
    const text = read(`docs/decisions/${file}`);
    expect(text, file).toMatch(
      /^# \d+\. .+\n\n\d{4}-\d\d-\d\d, (accepted|replaced by \d{4})\n\n## Context\n\n[^#]+## Decision\n\n[^#]+## Consequences\n\n[^#]+$/,
    );
    const [, title] = text.match(/^# \d+\. (.+)$/m) ?? [];
    expect(index).toContain(`- [${file.slice(0, 4)}](${file}) ${title}\n`);
  }
});

test("the table of contents names every page of docs/operations", () => {
  const pages = readdirSync(join(root, "docs/operations")).filter((file) => file !== "README.md");
  for (const page of pages) expect(read("docs/operations/README.md")).toContain(`](${page})`);
});
