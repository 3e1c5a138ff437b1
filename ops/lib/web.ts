import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { constants, gzipSync } from "node:zlib";
import { type BuildFailure, build } from "esbuild";
import { Problem } from "./problem.ts";
import { copyFiles, sourceFiles } from "./source.ts";

/** What is worth compressing; nginx sends these as they lie there. */
const text = /\.(html|js|css|svg)$/;
/** A file beside the page; not another page, address or place on it. */
const reference = /(\s(?:href|src)=")(?![/#]|[a-z]+:)([^"#]+)/g;

/**
 * Builds each folder of `from`, a folder of `project`, into a folder of the same name in `to`, for nginx: one with an
 * index.html by buildSite, any other one as it is. Throws a Problem that names the file and the line.
 */
export async function buildWeb(project: string, from: string, to: string): Promise<void> {
  for (const { name } of readdirSync(from, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
    if (existsSync(join(from, name, "index.html"))) await buildSite(join(from, name), join(to, name));
    else copyFiles(join(from, name), join(to, name), sourceFiles(project, join(from, name)));
  }
}

/**
 * Builds a site into `to`: index.html, what it names by href="..." or src="..." as a/NAME.HASH.EXT (scripts with all
 * that they import), and a .gz beside each text. The same source gives the same bytes.
 */
export async function buildSite(from: string, to: string): Promise<void> {
  const html = readFileSync(join(from, "index.html"), "utf8");
  const named = [...html.matchAll(reference)].map((match) => String(match[2]));
  for (const name of named)
    if (!existsSync(join(from, name)) || !statSync(join(from, name)).isFile())
      throw wrong(join(from, "index.html"), `names ${name}, which is not beside it`);
  const { metafile } = await build({
    absWorkingDir: from,
    entryPoints: [...new Set(named)],
    outdir: to,
    entryNames: "a/[name].[hash]",
    chunkNames: "a/[name].[hash]",
    assetNames: "a/[name].[hash]",
    loader: { ".svg": "copy", ".png": "copy", ".ico": "copy", ".woff2": "copy" },
    bundle: true,
    splitting: true,
    format: "esm",
    minify: true,
    metafile: true,
    logLevel: "silent",
  }).catch((failure: BuildFailure) => {
    const [first] = failure.errors ?? [];
    throw wrong(
      first?.location ? `${join(from, first.location.file)}:${first.location.line}` : from,
      first?.text ?? String(failure),
    );
  });
  const built = new Map<string, string>();
  for (const [file, { entryPoint, inputs }] of Object.entries(metafile.outputs))
    built.set(entryPoint ?? Object.keys(inputs)[0] ?? "", relative(to, join(from, file)));
  mkdirSync(to, { recursive: true });
  writeFileSync(
    join(to, "index.html"),
    html.replace(reference, (_, before, name) => before + built.get(name)),
  );
  for (const name of readdirSync(to, { recursive: true, encoding: "utf8" }).filter((each) => text.test(each))) {
    const file = join(to, name);
    writeFileSync(`${file}.gz`, gzipSync(readFileSync(file), { level: constants.Z_BEST_COMPRESSION }));
  }
}

const wrong = (where: string, what: string) => new Problem(`${where}: ${what}`, "mend it, then run this again");
