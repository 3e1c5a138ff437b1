import { createHash } from "node:crypto";
import { escapeHtml } from "../html.ts";
import type { Json, Operation, openApi, Parameter } from "./openapi.ts";

const STYLE = `:root{color-scheme:light dark;--line:#8886;--soft:#8882}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem 1rem 4rem}
h2{border-top:1px solid var(--line);margin-top:2.5rem;padding-top:1rem}
h3{font-size:1rem}
code,pre{font:.875rem/1.5 ui-monospace,monospace}
code{background:var(--soft);border-radius:3px;overflow-wrap:anywhere;padding:.1em .3em}
.method{display:inline-block;font-weight:700;min-width:4.5rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;margin:.5rem 0;width:100%}
th,td{border-bottom:1px solid var(--line);padding:.25rem .75rem .25rem 0;text-align:left;vertical-align:top}
nav ul{columns:2 20rem;padding-left:1.2rem}`;

const hash = createHash("sha256").update(STYLE).digest("base64");
export const REFERENCE_HEADERS = {
  "Content-Security-Policy": `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  "Referrer-Policy": "no-referrer",
};

const code = (value: unknown) => `<code>${escapeHtml(value)}</code>`;
const anchor = (method: string, path: string) => escapeHtml(`${method}${path.replace(/\W+/g, "-")}`);

/** The OpenAPI document as a web page, without scripts or external resources. */
export function renderReference({ info, servers, paths, components }: ReturnType<typeof openApi>): string {
  const base = servers[0]?.url ?? "";
  const all = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method, path, operation })),
  );
  const contents = all.map(
    ({ method, path, operation }) => `<li><a href="#${anchor(method, path)}">${escapeHtml(operation.summary)}</a></li>`,
  );
  const chapters = all.map(
    ({ method, path, operation }) => `<section id="${anchor(method, path)}">
<h2>${escapeHtml(operation.summary)}</h2>
<p><span class="method">${method.toUpperCase()}</span>${code(base + path)}</p>
${parameters(operation.parameters)}${body(operation.requestBody)}${responses(operation.responses)}
</section>`,
  );
  const types = Object.entries(components.schemas).map(
    ([name, schema]) => `<section id="${name}"><h2>${name}</h2>${fields(schema)}</section>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(info.title)} API</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>${escapeHtml(info.title)} API</h1>
<p>${escapeHtml(info.description)} Release ${code(info.version)}; for programs: <a href="${base}/openapi.json">openapi.json</a>.</p></header>
<nav aria-label="Operations"><ul>${contents.join("")}</ul></nav>
<main>${[...chapters, ...types].join("\n")}</main>
</body>
</html>
`;
}

const table = (head: string[], rows: string[][]) =>
  `<div class="wide" tabindex="0"><table><thead><tr>${head.map((cell) => `<th scope="col">${cell}</th>`).join("")}</tr></thead>
<tbody>${rows.map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join("")}</tr>`).join("\n")}</tbody></table></div>`;

function parameters(list: Parameter[]): string {
  if (list.length === 0) return "";
  const rows = list.map(({ name, in: where, required, description = "", schema }) => [
    code(name),
    where + (required ? ", required" : ""),
    `${type(schema)} ${escapeHtml(description)}`,
  ]);
  return `<h3>Parameters</h3>${table(["Name", "In", "Value"], rows)}`;
}

const body = (content: Json | undefined) => (content ? `<h3>Body</h3><p>${typesOf(content)}</p>` : "");

function responses(list: Operation["responses"]): string {
  const rows = Object.entries(list).map(([status, response]) => [
    code(status),
    escapeHtml(response.description),
    [typesOf(response), ...Object.keys(response.headers ?? {}).map(code)].filter(Boolean).join(", "),
  ]);
  return `<h3>Responses</h3>${table(["Status", "Meaning", "Body and headers"], rows)}`;
}

const typesOf = ({ content = {} }: { content?: unknown }) =>
  Object.values(content as Record<string, { schema: Json }>)
    .map(({ schema }) => type(schema))
    .join(", ");

function fields(schema: Json): string {
  const required = new Set((schema.required as string[] | undefined) ?? []);
  const rows = Object.entries((schema.properties as Record<string, Json> | undefined) ?? {}).map(([name, field]) => [
    code(name),
    required.has(name) ? "yes" : "no",
    `${type(field)} ${escapeHtml(field.description ?? "")}`,
  ]);
  return table(["Field", "Required", "Value"], rows);
}

/** A schema in a few words. */
function type(schema: Json): string {
  const { $ref, anyOf, items } = schema as { $ref?: string; anyOf?: Json[]; items?: Json };
  if ($ref) return `<a href="#${$ref.split("/").at(-1)}">${$ref.split("/").at(-1)}</a>`;
  if (anyOf) return anyOf.map(type).join(" or ");
  if (items) return `list of ${type(items)}`;
  if (schema.enum) return `one of ${(schema.enum as unknown[]).map(code).join(" ")}`;
  if (schema.type === "object")
    return `{${Object.entries((schema.properties ?? {}) as Record<string, Json>)
      .map(([name, field]) => `${code(name)}: ${type(field)}`)
      .join("; ")}}`;
  const bounds = [
    ["from", schema.minimum],
    ["to", schema.maximum === Number.MAX_SAFE_INTEGER ? undefined : schema.maximum],
    ["at least", schema.minLength && `${schema.minLength} long`],
    ["at most", schema.maxLength && `${schema.maxLength} long`],
    ["by default", schema.default],
  ].flatMap(([word, value]) => (value === undefined ? [] : [`${word} ${escapeHtml(value)}`]));
  return [escapeHtml(schema.format ?? schema.type), ...bounds].join(", ");
}
