// Builds dist/: the module for pages, the worker, and ONNX Runtime's files beside them.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const FOLDER = fileURLToPath(new URL("..", import.meta.url));
const RUNTIME = `${FOLDER}node_modules/onnxruntime-web/dist/`;
const RUNTIME_FILES = ["ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"];

/** ONNX Runtime names its own file, which is part of the worker here: bundlers of pages would look for it. */
const runtime = {
  name: "runtime",
  setup(build) {
    build.onLoad({ filter: /ort\.wasm\.min\.mjs$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replaceAll("import.meta.url", "self.location.href"),
    }));
  },
};

rmSync(`${FOLDER}dist`, { recursive: true, force: true });
mkdirSync(`${FOLDER}dist`);
await build({
  absWorkingDir: FOLDER,
  entryPoints: ["src/index.ts", "src/worker.ts"],
  outdir: "dist",
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "inline",
  conditions: ["onnxruntime-web-use-extern-wasm"],
  plugins: [runtime],
});
// The runtime loads its file by address. Bundlers of pages leave that as it is where a comment says so.
const worker = readFileSync(`${FOLDER}dist/worker.js`, "utf8");
const parts = worker.split(/\bimport\((?=\w+\))/);
if (parts.length !== 2) throw new Error(`worker.js imports by address ${parts.length - 1} times, not once`);
const comments = "/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ ";
writeFileSync(`${FOLDER}dist/worker.js`, parts.join(`import(${comments}`));
for (const name of RUNTIME_FILES) copyFileSync(RUNTIME + name, `${FOLDER}dist/${name}`);
copyFileSync(`${FOLDER}LICENSE-onnxruntime`, `${FOLDER}dist/LICENSE-onnxruntime`);
execFileSync("node_modules/.bin/tsc", ["--project", "tsconfig.build.json"], { cwd: FOLDER, stdio: "inherit" });
