import { type SpawnOptions, spawn, spawnSync } from "node:child_process";
import { closeSync, createWriteStream, mkdirSync, openSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { UserError } from "./cli.ts";
import { notRun, unframed } from "./framing.ts";
import { localPath, root } from "./paths.ts";

/** Runs a command quietly; gives its trimmed output, or null when it is missing, fails or takes over 20 s. */
export function tryCapture(argv: string[], env: NodeJS.ProcessEnv = process.env): string | null {
  const [file = "", ...args] = argv;
  const { status, stdout } = spawnSync(file, args, { cwd: root, env, encoding: "utf8", timeout: 20_000 });
  return status === 0 ? stdout.trim() : null;
}

/** The first line of `PROGRAM --version`, or why there is none: the program is not found, or it does not start. */
export function programVersion(program: string): { version: string } | { without: string } {
  const { status, stdout, stderr, error } = spawnSync(program, ["--version"], { encoding: "utf8", timeout: 20_000 });
  const line = (text: string) => text.trim().split("\n")[0] ?? "";
  if (status === 0) return { version: line(stdout) };
  if (error && "code" in error && error.code === "ENOENT") return { without: "not found" };
  return { without: `does not start: ${error?.message || line(stderr) || line(stdout) || `exit status ${status}`}` };
}

/** Runs a command to its end with a text as its input; resolves with its output, throws a UserError with its complaint when it fails. */
export function capture(argv: string[], input = ""): Promise<string> {
  const [file = "", ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: root, stdio: ["pipe", "pipe", "pipe"], timeout: 600_000 });
    const chunks: Buffer[] = [];
    const errors: Buffer[] = [];
    child.stdout.on("data", (chunk) => chunks.push(chunk));
    child.stderr.on("data", (chunk) => errors.push(chunk));
    child.on("error", (error) => reject(new UserError(`cannot run ${file}: ${error.message}`, `install ${file}`)));
    child.on("close", (code, signal) => {
      const { output, begun } = unframed(argv, Buffer.concat(chunks));
      if (code === 0) return begun ? resolve(String(output)) : reject(notRun(argv, String(output)));
      const words = `${unframed(argv, Buffer.concat(errors)).output}`.trim() || `${output}`.trim();
      const ended = `ended by ${signal ?? `exit status ${code}`}`;
      reject(
        new UserError(`${argv.join(" ")}: ${words || ended}`, "npm run verify shows the problem; then run this again"),
      );
    });
    child.stdin.on("error", () => {}); // it ended early; its exit status says so
    child.stdin.end(input);
  });
}

/**
 * Runs a command to its end, with a file as its standard input or none; gives its output.
 * Throws a UserError with its last words when it fails.
 */
export function captureBytes(argv: string[], input?: string): Buffer {
  const stdin = input === undefined ? "ignore" : openSync(input, "r");
  const [program = "", ...args] = argv;
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    stdio: [stdin, "pipe", "pipe"],
    maxBuffer: Number.POSITIVE_INFINITY,
  });
  if (stdin !== "ignore") closeSync(stdin);
  if (error) throw new UserError(`cannot run ${program}: ${error.message}`, `install ${program}`);
  const { output, begun } = unframed(argv, stdout);
  if (status === 0 && begun) return output;
  if (status === 0) throw notRun(argv, String(output));
  const words = `${output}${unframed(argv, stderr).output}`.trim();
  throw new UserError(words || `exit status ${status} of ${argv.join(" ")}`, "npm run verify shows the problem");
}

/**
 * Runs a command on the caller's own terminal, and hands SIGTERM and SIGHUP on to it; resolves with its exit status,
 * 128 + n after signal n.
 *
 * @param read gets the standard output, where the options have a pipe for it
 */
export function passThrough(
  argv: string[],
  options: SpawnOptions = {},
  read: (chunk: Buffer) => void = () => {},
): Promise<number> {
  const [file = "", ...args] = argv;
  const ignore = () => {};
  // Ctrl-C reaches the whole foreground group: the child decides, and we report its decision.
  process.on("SIGINT", ignore);
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: "inherit", ...options });
    const hand = (signal: NodeJS.Signals) => {
      // In a lab the child is nsenter, which hands nothing on.
      const inside =
        file === join(root, "lab/lab") && tryCapture(["pkill", "--signal", signal, "--parent", `${child.pid}`]);
      if (typeof inside !== "string") child.kill(signal);
    };
    process.on("SIGTERM", hand).on("SIGHUP", hand);
    child.on("error", (error) =>
      reject(new UserError(`cannot run ${file} (${error.message})`, `install ${file}, or see: npm run doctor`)),
    );
    child.stdout?.on("data", read);
    child.on("close", (code, signal) => {
      process.off("SIGINT", ignore).off("SIGTERM", hand).off("SIGHUP", hand);
      resolve(code ?? 128 + (signals[signal ?? ""] ?? 0));
    });
  });
}
const signals: Record<string, number> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

/** Seconds since this command started, as people read them: "7 s", "2 min 5 s". */
export function elapsed(since = 0): string {
  const seconds = Math.round((performance.now() - since) / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Lines of a failed command that are printed: its last ones, after each block of Ansible's in which a host failed. */
const LAST_LINES = 40;
const BLOCK_LINES = 20;
/** The last block is printed from its beginning where that is no more lines than these before the end. */
const LAST_BLOCK_LINES = 80;

/** The part of a failed command's output that says why; other hosts of a playbook go on for hundreds of lines after one failed. */
export function outputOfFailure(output: string): string {
  const lines = output.trimEnd().split("\n");
  const begins = (line: string) => /^(fatal|failed): \[/.test(line);
  const lastBlock = lines.findLastIndex(begins);
  const isNear = lastBlock >= 0 && lastBlock >= lines.length - LAST_BLOCK_LINES;
  const last = Math.max(0, Math.min(lines.length - LAST_LINES, isNear ? lastBlock : lines.length));
  const repeated = new Set(lines.slice(last).map((line) => line.trim()));
  const blocks = lines.flatMap((line, i) => {
    if (i >= last || !begins(line)) return [];
    const title = lines.slice(0, i).findLast((each) => each.startsWith("TASK ")) ?? "";
    const end = lines.findIndex((each, k) => k > i && each.trim() === "");
    const text = lines.slice(i + 1, end).filter((each) => !/^ +(assertion|changed|evaluated_to|msg):/.test(each));
    // A playbook that clears up after a failure ends with the same text.
    if (text.length > 0 && text.every((each) => repeated.has(each.trim()))) return [];
    return [title, ...lines.slice(i, Math.min(end, i + BLOCK_LINES)), ""];
  });
  return [...blocks, ...lines.slice(last)].join("\n");
}

/**
 * Shows that a step of a long work runs: a terminal sees its title, the seconds and the newest line of output, in place;
 * a pipe sees the title and one line at the end.
 */
export function showStep(title: string) {
  const since = performance.now();
  const live = process.stdout.isTTY;
  let newest = "";
  const draw = () => {
    const line = `${title} (${elapsed(since)}) ${newest}`;
    process.stdout.write(`\r\x1b[2K${line.slice(0, (process.stdout.columns || 80) - 1)}`);
  };
  const clear = () => void (live && process.stdout.write("\r\x1b[2K"));
  if (!live) console.log(`${title} ...`);
  const timer = live ? setInterval(draw, 200) : undefined;
  return {
    since,
    /** Takes new output. */
    read: (text: string) => {
      newest = text.trimEnd().split("\n").at(-1)?.trim() || newest;
    },
    /** Makes place for a line of another kind. */
    clear,
    /** Ends it; of a failure only the caller speaks. */
    end: (failed = false) => {
      clearInterval(timer);
      clear();
      if (!failed) console.log(live ? `${title} (${elapsed(since)})` : `  done in ${elapsed(since)}`);
    },
  };
}

/** Opens .halo/logs/<log>.log, empty at first. */
export function openLog(log: string) {
  const file = localPath("logs", `${log}.log`);
  mkdirSync(dirname(file), { recursive: true });
  return { file, out: createWriteStream(file) };
}

/**
 * Runs one step of a long work, and shows it. Everything goes to .halo/logs/<log>.log.
 * Resolves with the output; throws a UserError when the step fails, whose cause is in the lines printed before.
 */
export async function step(title: string, log: string, argv: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { file, out } = openLog(log);
  const [program = "", ...args] = argv;
  const shown = showStep(title);
  const child = spawn(program, args, { cwd: root, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      out.write(chunk);
      shown.read(chunk.toString());
    });
  const code = await new Promise<number | null>((resolve) => {
    child.on("error", (error) => {
      out.write(`${error.message}\n`);
      resolve(127);
    });
    child.on("close", resolve);
  });
  await new Promise((resolve) => out.end(resolve));
  shown.end(code !== 0);

  const output = readFileSync(file, "utf8");
  if (code !== 0) {
    console.error(outputOfFailure(output));
    throw new UserError(
      `${title}: failed after ${elapsed(shown.since)}`,
      `read the lines above (all of them: ${relative(root, file)}), then run this again`,
    );
  }
  return output;
}
