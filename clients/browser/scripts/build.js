// Builds dist/: the module for pages, the worker, and ONNX Runtime's files beside them.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const FOLDER = fileURLToPath(new URL("..", import.meta.url));
const RUNTIME = `${FOLDER}node_modules/onnxruntime-web/dist/`;
const RUNTIME_FILES = ["ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"];

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
});
for (const name of RUNTIME_FILES) copyFileSync(RUNTIME + name, `${FOLDER}dist/${name}`);
copyFileSync(`${FOLDER}LICENSE-onnxruntime`, `${FOLDER}dist/LICENSE-onnxruntime`);
execFileSync("node_modules/.bin/tsc", ["--project", "tsconfig.build.json"], { cwd: FOLDER, stdio: "inherit" });
