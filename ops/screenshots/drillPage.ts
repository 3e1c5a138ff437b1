import { readFileSync } from "node:fs";
import { join } from "node:path";

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** The page with the table of a drill report (.halo/reports/drills.md). The notes beneath the table are left out. */
export function drillPage(report: string): string {
  const rows = report
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) => line.split("|").slice(1, -1));
  const body = rows.filter(([first = ""]) => !/^ ?-+ ?$/.test(first)).map((cells) => cells.map((each) => each.trim()));
  const html = body.map((cells, i) => {
    const tag = i === 0 ? "th" : "td";
    const state = (cell: string) => (cell === "held" || cell === "BROKEN" ? ` class="${cell.toLowerCase()}"` : "");
    return `<tr>${cells.map((cell) => `<${tag}${state(cell)}>${escaped(cell)}</${tag}>`).join("")}</tr>`;
  });
  return readFileSync(join(import.meta.dirname, "drills.html"), "utf8").replace("<!-- rows -->", html.join("\n"));
}
