/** The file of this machine's names. */
export const hostsFile = "/etc/hosts";

const marker = "# halo";
const isOurs = (line: string) => line.endsWith(marker);

/** Whether a text has lines of Halo's. */
export const hasLines = (text: string): boolean => text.split("\n").some(isOurs);

/** Gives an /etc/hosts text with exactly these lines of Halo's at its end, marked; other lines stay as they are. */
export function withLines(text: string, lines: string[]): string {
  const others = text.split("\n").filter((line) => !isOurs(line));
  while (others.at(-1) === "") others.pop();
  return [...others, ...lines.map((line) => `${line} ${marker}`), ""].join("\n");
}
