// Builds the packages that this program uses from the folders next to it, copies the sample pictures, and writes the files
// of the engine for the device into public/edge.
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../../../", import.meta.url);
const run = (cwd, command, ...args) => execFileSync(command, args, { cwd, stdio: "inherit" });

for (const name of ["typescript", "browser"]) {
  const folder = fileURLToPath(new URL(`clients/${name}/`, ROOT));
  if (!existsSync(`${folder}node_modules/typescript`)) run(folder, "npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts");
  run(folder, "npm", "run", "--silent", "build");
}

const samples = new URL("../public/samples/", import.meta.url);
mkdirSync(samples, { recursive: true });
for (const name of ["happy_sample", "neutral_sample", "multiple_faces", "no_face"]) {
  copyFileSync(new URL(`sample_images/${name}.jpg`, ROOT), new URL(`${name}.jpg`, samples));
}

// The models come from the service's folder, which takes its Python. Where there is none, public/edge stays as it is;
// without it, the program offers no reading on the device.
const edge = new URL("../public/edge/", import.meta.url);
const python = process.env.VISAGE_PYTHON ?? fileURLToPath(new URL(".venv/bin/python", ROOT));
if (existsSync(python)) {
  rmSync(edge, { recursive: true, force: true });
  mkdirSync(edge, { recursive: true });
  run(fileURLToPath(ROOT), python, "scripts/export_edge_models.py", fileURLToPath(new URL("models/", edge)));
  const built = new URL("clients/browser/dist/", ROOT);
  for (const name of readdirSync(built)) if (/\.(m?js|wasm)$|LICENSE/.test(name)) copyFileSync(new URL(name, built), new URL(name, edge));
}
