import type { NextConfig } from "next";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const hasEngine = existsSync(new URL("public/edge/models/engine.json", import.meta.url));
// The worker that reads pictures on the device is the one script that may run WebAssembly.
const worker = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; frame-ancestors 'none'";

const config: NextConfig = {
  env: { NEXT_PUBLIC_ENGINE: hasEngine ? "yes" : "no" },
  headers: async () => [
    { source: "/edge/:path*", headers: [{ key: "Content-Security-Policy", value: worker }] },
    // Models are named after their hash.
    { source: "/edge/models/:name(.+\\.onnx)", headers: [{ key: "Cache-Control", value: "public, max-age=31536000, immutable" }] },
  ],
  poweredByHeader: false,
  // @visage/client lies outside this folder.
  turbopack: { root: fileURLToPath(new URL("../..", import.meta.url)) },
  outputFileTracingRoot: fileURLToPath(new URL("../..", import.meta.url)),
};

export default config;
