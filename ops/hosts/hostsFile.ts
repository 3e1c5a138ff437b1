const marker = "# halo";

/** Gives an /etc/hosts text with exactly these lines of Halo's at its end, marked; other lines stay as they are. */
export function withLines(text: string, lines: string[]): string {
  const others = text.split("\n").filter((line) => !line.endsWith(marker));
  while (others.at(-1) === "") others.pop();
  return [...others, ...lines.map((line) => `${line} ${marker}`), ""].join("\n");
}
