import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { PACKAGE, ROOT } from "./site.js";

type Packed = [{ files: { path: string }[] }];

const read = (...path: string[]) => readFileSync(join(...path), "utf8");
const run = (...command: [string, ...string[]]) =>
  execFileSync(command[0], command.slice(1), { cwd: PACKAGE, encoding: "utf8" });

it("has the types of the service's documents", () => {
  run("node", "scripts/generate.js", "--check");
});

it("has the service's version", () => {
  const version = /__version__ = "(.+)"/.exec(read(ROOT, "app/__init__.py"))?.[1];
  expect(JSON.parse(read(PACKAGE, "package.json")).version).toBe(version);
});

it("is a sound package that holds what is needed and nothing else", () => {
  const folder = mkdtempSync(join(tmpdir(), "visage-browser-"));
  try {
    const [packed] = JSON.parse(run("npm", "pack", "--json", "--silent", `--pack-destination=${folder}`)) as Packed;
    const files = packed.files.map((file) => file.path).filter((path) => !path.endsWith(".d.ts"));
    expect(files.sort()).toEqual([
      "LICENSE",
      "README.md",
      "dist/LICENSE-onnxruntime",
      "dist/index.js",
      "dist/ort-wasm-simd-threaded.mjs",
      "dist/ort-wasm-simd-threaded.wasm",
      "dist/worker.js",
      "package.json",
    ]);
    const archive = join(folder, readdirSync(folder)[0]!);
    run("node_modules/.bin/publint", archive, "--strict");
    run("node_modules/.bin/attw", archive, "--profile", "esm-only");
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);

it("costs a page little before the engine is created", () => {
  expect(gzipSync(read(PACKAGE, "dist/index.js")).length).toBeLessThan(4000);
});

it("names no host in its lock file", () => {
  expect(read(PACKAGE, "package-lock.json")).not.toContain('"resolved"');
});
