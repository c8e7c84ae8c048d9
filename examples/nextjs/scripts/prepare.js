// Builds the client that this program uses from the folder next to it, and copies the sample pictures.
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const client = fileURLToPath(new URL("../../../clients/typescript/", import.meta.url));
const run = (...command) => execFileSync("npm", command, { cwd: client, stdio: "inherit" });
if (!existsSync(`${client}node_modules/typescript`)) run("ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts");
run("run", "--silent", "build");

const samples = new URL("../public/samples/", import.meta.url);
mkdirSync(samples, { recursive: true });
for (const name of ["happy_sample", "neutral_sample", "multiple_faces", "no_face"]) {
  copyFileSync(new URL(`../../../sample_images/${name}.jpg`, import.meta.url), new URL(`${name}.jpg`, samples));
}
