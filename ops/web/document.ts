const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text: string) => text.replace(/[&<>"]/g, (each) => ENTITIES[each] as string);

/** The anchor of a heading, as GitHub and GitLab make it. */
export const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");

/**
 * A Markdown document of the project as HTML. It knows the parts that the runbook uses: headings, paragraphs, lists, tables and blocks of
 * code, with code, links and bold text in them. A link to another document, which no site has, is its text alone.
 */
export const renderDocument = (markdown: string): string =>
  markdown
    .split(/^(```.*\n[\s\S]*?\n```)$/m)
    .flatMap((part, i) => (i % 2 === 1 ? codeBlock(part) : part.split(/\n{2,}/).map((each) => block(each.trim()))))
    .filter(Boolean)
    .join("\n");

const codeBlock = (text: string) => `<pre><code>${escaped(text.replace(/^```.*\n|\n```$/g, ""))}</code></pre>`;

function block(text: string): string {
  const [, marks, heading = ""] = text.match(/^(#{1,6}) (.+)$/) ?? [];
  if (marks) return `<h${marks.length} id="${anchorOf(heading)}">${inline(heading)}</h${marks.length}>`;
  if (text.startsWith("- "))
    return `<ul>${text
      .split(/^- /m)
      .slice(1)
      .map((item) => `<li>${inline(item.trim())}</li>`)
      .join("\n")}</ul>`;
  if (text.startsWith("|")) return table(text.split("\n").map((row) => row.split("|").slice(1, -1)));
  return text && `<p>${inline(text)}</p>`;
}

function table([head = [], , ...rows]: string[][]): string {
  const line = (cells: string[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${inline(cell.trim())}</${tag}>`).join("")}</tr>`;
  return `<table><thead>${line(head, "th")}</thead><tbody>${rows.map((row) => line(row, "td")).join("\n")}</tbody></table>`;
}

const span = /`([^`]+)`|\[([^\]]+)\]\(([^)\s]+)\)|\*\*(.+?)\*\*/g;

function inline(text: string): string {
  let html = "";
  let end = 0;
  for (const match of text.matchAll(span)) {
    const [whole, code, label, link = "", bold = ""] = match;
    html += escaped(text.slice(end, match.index));
    end = match.index + whole.length;
    if (code !== undefined) html += `<code>${escaped(code)}</code>`;
    else if (label === undefined) html += `<strong>${inline(bold)}</strong>`;
    else html += link.startsWith("#") ? `<a href="${escaped(link)}">${inline(label)}</a>` : inline(label);
  }
  return html + escaped(text.slice(end));
}
