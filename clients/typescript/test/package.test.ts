import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, it } from "vitest";

type Packed = [{ files: { path: string }[] }];

const FOLDER = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8");
const run = (...command: [string, ...string[]]) => execFileSync(command[0], command.slice(1), { cwd: FOLDER, encoding: "utf8" });

it("has the types of the service's documents", () => {
  run("node", "scripts/generate.js", "--check");
});

it("has the service's version", () => {
  const version = /__version__ = "(.+)"/.exec(read("../../../app/__init__.py"))?.[1];
  expect(JSON.parse(read("../package.json")).version).toBe(version);
});

it("stays small: the whole client under 8 kB", async () => {
  const { outputFiles } = await build({
    stdin: { contents: 'export * from "./src/index.ts"', resolveDir: FOLDER },
    bundle: true,
    minify: true,
    format: "esm",
    write: false,
  });
  expect(gzipSync(outputFiles[0]!.contents).length).toBeLessThan(8000);
});

it("is a sound package that holds what is needed and nothing else", () => {
  const folder = mkdtempSync(join(tmpdir(), "visage-client-"));
  try {
    // `npm pack` builds the package first.
    const [packed] = JSON.parse(run("npm", "pack", "--json", "--silent", `--pack-destination=${folder}`)) as Packed;
    const other = packed.files.map((file) => file.path).filter((path) => !/^dist\/[\w-]+\.(js|d\.ts)$/.test(path));
    expect(other.sort()).toEqual(["LICENSE", "README.md", "package.json"]);
    const archive = join(folder, readdirSync(folder)[0]!);
    run("node_modules/.bin/publint", archive, "--strict");
    run("node_modules/.bin/attw", archive, "--profile", "esm-only");
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);

it("names no host in its lock file", () => {
  expect(read("../package-lock.json")).not.toContain('"resolved"');
});
