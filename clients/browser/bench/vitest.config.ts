import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["bench/**/*.bench.ts"],
    globalSetup: "test/build.ts",
    disableConsoleIntercept: true,
    hookTimeout: 120_000,
    reporters: [["default", { summary: false }]],
  },
});
