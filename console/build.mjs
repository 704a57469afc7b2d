/**
 * Bundles the console into static files with hashed names: `node build.mjs`. `node build.mjs test` bundles its unit tests.
 *
 * The files go to where the API serves them from. index.html names the others by relative addresses, so that the console
 * works below any prefix; no script or style stands in it, so that the Content-Security-Policy can forbid both.
 */
import { build } from "esbuild";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const target = path.join(here, "..", "api", "playerscore_api", "console_files");
const common = {
  absWorkingDir: here,
  bundle: true,
  format: "esm",
  jsx: "automatic",
  jsxImportSource: "preact",
  logLevel: "warning",
  alias: { "playerscore-client": path.join(here, "..", "clients", "typescript", "dist", "client.js") },
};

async function tests() {
  rmSync(path.join(here, "out"), { recursive: true, force: true });
  const entryPoints = readdirSync(path.join(here, "test")).map((name) => `test/${name}`);
  await build({ ...common, entryPoints, platform: "node", outdir: "out/test", outExtension: { ".js": ".test.mjs" } });
}

async function pages() {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  const { metafile } = await build({
    ...common,
    entryPoints: { console: "src/main.tsx", style: "src/style.css", icon: "src/icon.svg" },
    entryNames: "[name]-[hash]",
    loader: { ".svg": "copy" },
    metafile: true,
    minify: true,
    outdir: target,
    target: "es2022",
  });
  const names = Object.keys(metafile.outputs).map((file) => path.basename(file));
  const named = (start, end) => names.find((name) => name.startsWith(start) && name.endsWith(end));
  const html = readFileSync(path.join(here, "src", "index.html"), "utf8")
    .replace("console.js", named("console-", ".js"))
    .replace("style.css", named("style-", ".css"))
    .replace("icon.svg", named("icon-", ".svg"));
  writeFileSync(path.join(target, "index.html"), html);
}

await (process.argv[2] === "test" ? tests() : pages());
