import { chmodSync, chownSync, existsSync, realpathSync, renameSync, statSync, writeFileSync } from "node:fs";

/**
 * Gives a file of a person's another text by one rename, so that a reader sees the old text or the new one. Owner and mode stay,
 * and a symbolic link leads to the same file as before.
 */
export function replaceText(file: string, text: string): void {
  if (!existsSync(file)) {
    writeFileSync(file, text);
    return;
  }
  const target = realpathSync(file);
  const { uid, gid, mode } = statSync(target);
  const next = `${target}.new`;
  writeFileSync(next, text);
  try {
    chownSync(next, uid, gid);
  } catch {
    // Only root can give a file to somebody else.
  }
  chmodSync(next, mode);
  renameSync(next, target);
}
