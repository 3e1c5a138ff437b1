import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { capture, captureBytes } from "../lib/exec.ts";
import { frame, outputOf, unframed } from "../lib/framing.ts";

/** As on a host: the login shell prints first, and then runs the words that ssh has joined. */
const onHost = (noise: string, ...command: string[]) => {
  const login = `${noise}\neval "$*"`;
  return ["bash", "-c", login, "login", frame, ...command];
};

test("the words of a login shell are no output, on neither stream, and the exit status is the command's", async () => {
  const noisy = "echo hi; echo oops >&2; trap 'echo bye' EXIT";
  expect(await capture(onHost(noisy, "cat"), "input\n")).toBe("input\n");
  expect(String(captureBytes(onHost(noisy, "echo", "out")))).toBe("out\n");
  await expect(capture(onHost(noisy, "sh", "-c", "'echo why >&2; exit 3'"))).rejects.toThrow(/: why$/);
});

test("every byte of a command passes", () => {
  const bytes = "printf '\\000\\377\\036halo\\036\\n'";
  const { stdout } = spawnSync("sh", ["-c", bytes]);
  expect(captureBytes(onHost("echo hi", "sh", "-c", `"${bytes}"`))).toEqual(stdout);
});

test("a login shell that ends before the command is named with its words", async () => {
  const ended = onHost("echo closed for today; exit 0", "echo", "never");
  await expect(capture(ended)).rejects.toMatchObject({
    message: expect.stringContaining("it printed: closed for today"),
    hint: expect.stringContaining("~/.bashrc"),
  });
  expect(() => captureBytes(ended)).toThrow("it printed: closed for today");
});

test("the mark may come in pieces, and output without a frame passes as it is", () => {
  const argv = onHost("", "true");
  const stream = outputOf(argv);
  const all = Buffer.from("noise\u001ehalo\u001eoutput");
  expect([...all].map((byte) => String(stream.read(Buffer.from([byte])))).join("")).toBe("output");
  expect(stream.end().noise).toBe(null);
  expect(String(unframed(["ssh", "host"], all).output)).toBe(String(all));
});
