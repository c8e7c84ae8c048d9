import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { packedFiles, serviceVersion, textOf } from "../../typescript/test/packing.js";
import { PACKAGE } from "./site.js";

it("has the service's version", () => {
  expect(JSON.parse(textOf(PACKAGE, "package.json")).version).toBe(serviceVersion);
});

it("is a sound package that holds what is needed and nothing else", () => {
  const files = packedFiles(PACKAGE).filter((path) => !path.endsWith(".d.ts"));
  expect(files).toEqual([
    "LICENSE",
    "README.md",
    "dist/LICENSE-onnxruntime",
    "dist/index.js",
    "dist/ort-wasm-simd-threaded.mjs",
    "dist/ort-wasm-simd-threaded.wasm",
    "dist/worker.js",
    "package.json",
  ]);
}, 60_000);

it("costs a page little before the engine is created", () => {
  expect(gzipSync(textOf(PACKAGE, "dist/index.js")).length).toBeLessThan(4000);
});

it("names no host in its lock file", () => {
  expect(textOf(PACKAGE, "package-lock.json")).not.toContain('"resolved"');
});
