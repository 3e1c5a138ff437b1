import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Lets the processes that tests start share Node's compiled code: half of a start is compiling. One folder for a run. */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "halo-compile-cache-"));
  process.env.NODE_COMPILE_CACHE = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
