// Writes dist/: index.html, which names a script with a hash in its name.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { build } from "esbuild";

const { metafile } = await build({
  entryPoints: ["src/main.js"],
  bundle: true,
  minify: true,
  outdir: "dist/assets",
  entryNames: "[name]-[hash]",
  define: { TITLE: JSON.stringify(process.env.TITLE ?? "spa") },
  metafile: true,
});
const [script = ""] = Object.keys(metafile.outputs);
mkdirSync("dist", { recursive: true });
writeFileSync("dist/index.html", readFileSync("index.html", "utf8").replace("main.js", `assets/${basename(script)}`));
