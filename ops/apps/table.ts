import type { App } from "../cluster/apps.ts";
import { type Site, urlOf } from "../cluster/sites.ts";

/** The apps with the sites that they answer, their ports and their sources, as columns with a head. */
export function appTable(all: App[], sites: Site[]): string {
  const rows = all.map(({ name, domains, port, runs, source }) => {
    const own = sites.filter(({ service, domain }) => service === name || domains.includes(domain));
    return [name, own.map((site) => urlOf(site)).join(", ") || "-", runs ? `${port}` : "static", source];
  });
  const lines = [["app", "answers", "port", "source"], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((text, i) => text.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
