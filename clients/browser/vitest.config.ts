import { existsSync } from "node:fs";
import { defineConfig } from "vitest/config";

const chromium = existsSync(process.env["CHROMIUM"] ?? "/usr/bin/chromium");
if (!chromium) console.log("The tests of the engine in a browser were skipped: Chromium is not installed.");

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: chromium ? [] : ["test/!(package|sha256).test.ts"],
    fileParallelism: false,
    globalSetup: "test/build.ts",
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
