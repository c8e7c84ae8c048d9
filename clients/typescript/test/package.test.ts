import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, it } from "vitest";
import { packedFiles, run, serviceVersion, textOf } from "./packing.js";

const FOLDER = fileURLToPath(new URL("..", import.meta.url));

it("has the types of the service's documents, as the engine in the browser has", () => {
  run(FOLDER, "node", "scripts/generate.js", "--check");
});

it("has the service's version", () => {
  expect(JSON.parse(textOf(FOLDER, "package.json")).version).toBe(serviceVersion);
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
  const other = packedFiles(FOLDER).filter((path) => !/^dist\/[\w-]+\.(js|d\.ts)$/.test(path));
  expect(other).toEqual(["LICENSE", "README.md", "package.json"]);
}, 60_000);

it("names no host in its lock file", () => {
  expect(textOf(FOLDER, "package-lock.json")).not.toContain('"resolved"');
});
