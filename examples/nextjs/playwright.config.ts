import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { defineConfig, devices } from "@playwright/test";

// The tests run this program, built, on the real service.
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const HERE = fileURLToPath(new URL("./", import.meta.url));
const PYTHON = process.env.VISAGE_PYTHON ?? `${ROOT}.venv/bin/python`;
// Playwright reads this file again in the processes that it starts: they get the same ports from the environment.
const SERVICE_PORT = (process.env.TEST_SERVICE_PORT ??= await freePort());
const WEB_PORT = (process.env.TEST_WEB_PORT ??= await freePort());

// The browser's camera shows the smiling sample.
const camera = `${HERE}test-results/camera.mjpeg`;
mkdirSync(`${HERE}test-results`, { recursive: true });
const face = readFileSync(`${ROOT}sample_images/happy_sample.jpg`);
writeFileSync(camera, Buffer.concat([face, face, face, face]));

export const SERVICE = `http://127.0.0.1:${SERVICE_PORT}`;
export const KEY = "a-key-for-the-tests-of-the-example";

export default defineConfig({
  testDir: "tests",
  outputDir: "test-results/output",
  workers: 1,
  retries: 1,
  timeout: 30_000,
  expect: { timeout: 10_000 },
  reporter: [["list"]],
  use: {
    baseURL: `http://127.0.0.1:${WEB_PORT}`,
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: [
        ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        `--use-file-for-fake-video-capture=${camera}`,
      ],
    },
  },
  projects: [
    { name: "desk", use: { viewport: { width: 1280, height: 900 } } },
    { name: "phone", use: { ...devices["Pixel 7"], viewport: { width: 390, height: 844 }, colorScheme: "dark" } },
  ],
  webServer: [
    {
      command: `exec "${PYTHON}" -m app`,
      cwd: ROOT,
      env: {
        HOST: "127.0.0.1",
        PORT: SERVICE_PORT,
        WORKERS: "1",
        RATE_LIMIT: "100000/minute",
        API_KEYS: `web:${KEY}`,
        CORS_ORIGINS: `http://127.0.0.1:${WEB_PORT}`,
        LOG_LEVEL: "warning",
      },
      url: `${SERVICE}/health/ready`,
      timeout: 60_000,
    },
    {
      command: `exec node node_modules/next/dist/bin/next start --hostname 127.0.0.1 --port ${WEB_PORT}`,
      env: { VISAGE_URL: SERVICE, VISAGE_API_KEY: KEY, NEXT_TELEMETRY_DISABLED: "1" },
      url: `http://127.0.0.1:${WEB_PORT}/icon.svg`,
      timeout: 60_000,
    },
  ],
});

async function freePort(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return String(port);
}
