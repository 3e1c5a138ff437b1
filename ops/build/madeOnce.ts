import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

/**
 * Makes a folder, or copies it from the cache where it was made before with the same key. The cache keeps the last one alone.
 *
 * @param cache the cache's folder
 * @param key names all that the folder's content depends on
 * @param target the folder to make; it does not exist yet
 * @param make fills the target
 */
export async function madeOnce(cache: string, key: string, target: string, make: () => void | Promise<void>) {
  const kept = join(cache, key);
  if (existsSync(kept)) {
    cpSync(kept, target, { recursive: true, verbatimSymlinks: true });
    return;
  }
  await make();
  mkdirSync(cache, { recursive: true });
  for (const old of readdirSync(cache)) rmSync(join(cache, old), { recursive: true, force: true });
  // By one rename: a build that is killed here leaves no half of it under the key.
  const copy = join(cache, `.making-${process.pid}`);
  cpSync(target, copy, { recursive: true, verbatimSymlinks: true });
  if (!existsSync(kept)) renameSync(copy, kept);
}
