/** A command of docs/belajar.md with the output that the page shows, if it shows any. */
export type Exercise = { command: string; expected: string | undefined };

/** The exercises of a page: each block marked `sh belajar`, and the `text` block that follows it. */
export const exercises = (page: string): Exercise[] =>
  [...page.matchAll(/^```sh belajar\n([\s\S]*?)\n```$(?:\n\n^```text\n([\s\S]*?)\n```$)?/gm)].map(
    ([, command = "", expected]) => ({ command, expected }),
  );

/** The pattern of an output: the lines of the page, of which `…` may be any text. White space at the ends does not count. */
export const pattern = (expected: string): RegExp =>
  new RegExp(
    `^${expected
      .split("\n")
      .map((line) =>
        line
          .trim()
          .split("…")
          .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
          .join(".*"),
      )
      .join("\n")}$`,
  );

/** An output as it is compared: without carriage returns and the white space at the ends of a line. */
export const plain = (output: string): string =>
  output
    .split("\n")
    .map((line) => line.trim())
    .join("\n")
    .trim();
