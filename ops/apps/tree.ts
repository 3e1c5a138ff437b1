import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { UserError } from "../lib/cli.ts";

/** The size of a tree: bytes of its files, and files and links. */
export type Size = { bytes: number; files: number };

/** Reading more of a foreign project's file than this is no use to anybody; a package-lock.json of 3,000 packages has 1.5 MB. */
const MAX_TEXT = 32 << 20;

/** The kernel's answer. Node's own function takes `..` behind a link for the folder that the link is in. */
export const realPath = (path: string): string => realpathSync.native(path);

const inside = (path: string, folder: string) => path === folder || path.startsWith(`${folder}/`);

/**
 * The text of a file in a foreign project, or undefined without the file. A link is followed only within the folder: we may
 * be root, and another project's /etc/shadow is none of its files.
 *
 * @throws {UserError} where it is not a file of the folder, or larger than 32 MiB
 */
export function foreignText(folder: string, path: string): string | undefined {
  const file = join(folder, path);
  if (!lstatSync(file, { throwIfNoEntry: false })) return undefined;
  const refuse = (problem: string) => new UserError(`${path} ${problem}`, "replace it by a file, then run this again");
  let real: string;
  try {
    real = realPath(file);
  } catch {
    throw refuse("is a link to nothing");
  }
  if (!inside(real, realPath(folder))) throw refuse("is a link that leaves the source");
  const state = lstatSync(real);
  if (!state.isFile()) throw refuse("is no file");
  if (state.size > MAX_TEXT) throw refuse(`has ${Math.round(state.size / (1 << 20))} MiB`);
  return readFileSync(real, "utf8");
}

/** Whether the real path of a file or folder lies in a folder. */
export const isWithin = (path: string, folder: string): boolean => inside(realPath(path), realPath(folder));

/** Where a link leads that must stay inside a folder (its real path). Throws a UserError for one that is absolute or leaves it. */
function linkWithin(file: string, within: string): string {
  const link = readlinkSync(file);
  const refuse = () =>
    new UserError(
      `${relative(within, file)} is a link that leaves the folder: ${link}`,
      "replace it by a file or a relative link inside the folder, then run this again",
    );
  if (isAbsolute(link) || !inside(resolve(dirname(file), link), within)) throw refuse();
  try {
    // Through another link, a text without too many .. may lead outside as well.
    if (!inside(realPath(file), within)) throw refuse();
  } catch (error) {
    if (error instanceof UserError) throw error; // another one: it leads to nothing, now at least
  }
  return link;
}

/** Every file and link below a folder, as a path from there. Not by readdir's `recursive`, which follows links. */
export function* pathsBelow(folder: string, path = ""): Generator<string> {
  for (const entry of readdirSync(join(folder, path), { withFileTypes: true })) {
    const below = join(path, entry.name);
    if (entry.isDirectory()) yield* pathsBelow(folder, below);
    else yield below;
  }
}

/** Throws a UserError that names the first link of a tree that leaves it. */
export function refuseLinks(folder: string): void {
  const top = realPath(folder);
  for (const path of pathsBelow(top)) if (lstatSync(join(top, path)).isSymbolicLink()) linkWithin(join(top, path), top);
}

/**
 * Copies a tree, with files of the caller's own: mode 0755 or 0644 and nothing else, so that no file of foreign code is
 * root's and runs as root. Links stay links. They and `from` itself must stay
 * inside `within`. Gives its size.
 *
 * @param options.owner the user whose files they are; undefined for any
 *
 * @param skip leaves out a path, relative to `from`
 * @throws {UserError} for a link that leaves, a file of another kind, and for more than `most`
 */
export function copyTree(
  from: string,
  to: string,
  {
    within = from,
    skip = () => false,
    owner,
    most,
  }: { within?: string; skip?: (path: string) => boolean; owner?: number | undefined; most?: Size } = {},
): Size {
  const top = realPath(from);
  const border = realPath(within);
  if (!inside(top, border))
    throw new UserError(`${from} leads out of the source`, "replace it by a folder, then run this again");
  const size = { bytes: 0, files: 0 };
  const visit = (path: string) => {
    mkdirSync(join(to, path), { recursive: true, mode: 0o755 });
    for (const { name } of readdirSync(join(top, path), { withFileTypes: true })) {
      const below = join(path, name);
      if (skip(below)) continue;
      const file = join(top, below);
      const state = lstatSync(file);
      if (state.isDirectory()) {
        visit(below);
        continue;
      }
      size.files++;
      size.bytes += state.size;
      if (most && (size.files > most.files || size.bytes > most.bytes)) throw tooMuch(most);
      if (state.isSymbolicLink()) symlinkSync(linkWithin(file, border), join(to, below));
      else if (state.isFile()) {
        // Foreign code may have given another user's file a second name, where the kernel does not forbid it.
        if (owner !== undefined && state.uid !== owner)
          throw new UserError(
            `${below} belongs to another user`,
            "let the build write it by itself, then run this again",
          );
        // Not copyFile, which copies the owner and the mode with the bytes.
        writeFileSync(join(to, below), readFileSync(file));
        chmodSync(join(to, below), state.mode & 0o100 ? 0o755 : 0o644);
      } else
        throw new UserError(`${below} is neither a file nor a link`, "let the build remove it, then run this again");
    }
  };
  visit("");
  return size;
}

const tooMuch = (most: Size) =>
  new UserError(
    `the release has more than ${most.bytes >> 20} MiB or ${most.files} files`,
    "move packages that only the build needs to devDependencies, let the build bundle the code, or take files out of the source",
  );

/** A size as people read it: "12.3 MiB in 456 files", "2 KiB in 1 file". */
export function sizeWords({ bytes, files }: Size): string {
  const amount = bytes < 1 << 20 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / (1 << 20)).toFixed(1)} MiB`;
  return `${amount} in ${files} file${files === 1 ? "" : "s"}`;
}
