import { UserError } from "./cli.ts";

const mark = Buffer.from("\u001ehalo\u001e");
const print = "printf '\\036halo\\036'";
/**
 * The first word of a command on a host whose output is read by a program. The login shell of a host reads ~/.bashrc first,
 * and nothing that it prints is output of the command: a mark on both streams ends it. `exec`: nor does anything come after.
 */
export const frame = `${print}; ${print} >&2; exec`;

/** Passes on the bytes of one stream of a command; of a command with a frame only those behind the mark. */
export function outputOf(argv: string[]): { read(chunk: Buffer): Buffer; end(): { noise: Buffer | null } } {
  let before: Buffer | null = argv.includes(frame) ? Buffer.alloc(0) : null;
  return {
    read(chunk) {
      if (before === null) return chunk;
      before = Buffer.concat([before, chunk]);
      const at = before.indexOf(mark);
      if (at < 0) return Buffer.alloc(0);
      const rest = before.subarray(at + mark.length);
      before = null;
      return rest;
    },
    /** `noise`: all that came, where the mark did not. */
    end: () => ({ noise: before }),
  };
}

/** The same for output that is complete. Without a mark it is ssh's own words. */
export function unframed(argv: string[], output: Buffer): { output: Buffer; begun: boolean } {
  const stream = outputOf(argv);
  const rest = stream.read(output);
  const { noise } = stream.end();
  return { output: noise ?? rest, begun: noise === null };
}

/** The login shell of a host ended with 0 before it ran the command. */
export const notRun = (argv: string[], noise: string): UserError =>
  new UserError(
    `the host's login shell ended before the command: ${argv.join(" ")}${noise ? `; it printed: ${noise.trim()}` : ""}`,
    "let ~/.bashrc of the login user on the host do nothing where there is no terminal, then run this again",
  );
