import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { type BuildFailure, type BuildOptions, build, type Metafile } from "esbuild";
import { UserError } from "../lib/cli.ts";
import { copyFiles, sourceFiles } from "../lib/source.ts";
import { renderDocument } from "./document.ts";

/** The files that are worth compressing; nginx sends these as they lie there. */
const text = /\.(html|js|css|svg)$/;
/** A file beside the page; not another page, address or place on it. */
const reference = /(\s(?:href|src)=")(?![/#]|[a-z]+:)([^"#]+)/g;

/** A document of the project in a page. */
const inclusion = /<!-- document: (\S+) -->/g;

/** The folder of `from` that the others import from; each of them gets its icons, the one that browsers request by themselves among them. */
const SHARED = "shared";
const ICONS = ["favicon.ico", "icon.svg"];

/**
 * Builds each folder of `from`, a folder of `project`, into a folder of the same name in `to`, for nginx: one with an
 * index.html by buildSite, any other one by buildAssets. Throws a UserError that names the file and the line.
 */
export async function buildWeb(project: string, from: string, to: string): Promise<void> {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const { name } = entry;
    if (!entry.isDirectory() || name === SHARED) continue;
    if (existsSync(join(from, name, "index.html"))) await buildSite(project, join(from, name), join(to, name));
    else await buildAssets(join(from, name), join(to, name), sourceFiles(project, join(from, name)));
    compress(join(to, name));
    const icons = ICONS.filter((icon) => existsSync(join(from, SHARED, icon)));
    copyFiles(join(from, SHARED), join(to, name), icons);
  }
}

/**
 * Builds scripts and style sheets, each with all its imports, into files of the same name in `to`, and copies the others. Those in
 * folders below are only imported.
 */
async function buildAssets(from: string, to: string, files: string[]): Promise<void> {
  const sources = files.filter((name) => /\.(ts|css)$/.test(name));
  const built = sources.filter((name) => !name.includes("/"));
  await bundle(from, built, { outdir: to, entryNames: "[name]" });
  copyFiles(
    from,
    to,
    files.filter((name) => !sources.includes(name)),
  );
}

/** Runs esbuild on files of `from`; resolves with its list of outputs. */
async function bundle(from: string, entryPoints: string[], options: BuildOptions): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: from,
    entryPoints,
    bundle: true,
    format: "esm",
    minify: true,
    logLevel: "silent",
    ...options,
    metafile: true,
  }).catch((failure: BuildFailure) => {
    const [first] = failure.errors ?? [];
    throw wrong(
      first?.location ? `${join(from, first.location.file)}:${first.location.line}` : from,
      first?.text ?? String(failure),
    );
  });
  return metafile;
}

/**
 * Builds a site into `to`: its pages, the files of their href="..." and src="..." as a/NAME.HASH.EXT (scripts with all
 * that they import). A comment "document: PATH" is replaced by that document of the project. The same source gives the same bytes.
 */
export async function buildSite(project: string, from: string, to: string): Promise<void> {
  const pages = readdirSync(from)
    .filter((name) => name.endsWith(".html"))
    .map((name) => ({ name, html: readFileSync(join(from, name), "utf8") }));
  const named = pages.flatMap((page) => {
    const names = [...page.html.matchAll(reference)].map((match) => String(match[2]));
    const lost = names.find((name) => !statSync(join(from, name), { throwIfNoEntry: false })?.isFile());
    if (lost) throw wrong(join(from, page.name), `names ${lost}, which is not beside it`);
    return names;
  });
  const metafile = await bundle(from, [...new Set(named)], {
    outdir: to,
    entryNames: "a/[name].[hash]",
    chunkNames: "a/[name].[hash]",
    assetNames: "a/[name].[hash]",
    loader: { ".svg": "copy", ".png": "copy", ".ico": "copy", ".woff2": "copy" },
    splitting: true,
  });
  const built = new Map<string, string>();
  for (const [file, { entryPoint, inputs }] of Object.entries(metafile.outputs))
    built.set(entryPoint ?? Object.keys(inputs)[0] ?? "", relative(to, join(from, file)));
  mkdirSync(to, { recursive: true });
  for (const { name, html } of pages)
    writeFileSync(
      join(to, name),
      html
        .replace(reference, (_, before, file) => before + built.get(file))
        .replace(inclusion, (_, path) => renderDocument(readFileSync(join(project, path), "utf8"))),
    );
}

/** Puts a .gz and a .br beside each text of a folder. */
function compress(folder: string): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((each) => text.test(each))) {
    const file = join(folder, name);
    const bytes = readFileSync(file);
    writeFileSync(`${file}.gz`, gzipSync(bytes, { level: constants.Z_BEST_COMPRESSION }));
    writeFileSync(`${file}.br`, brotliCompressSync(bytes)); // the highest quality is its default
  }
}

const wrong = (where: string, what: string) => new UserError(`${where}: ${what}`, "correct it, then run this again");
