// Starts the real service for the tests: one open, one with keys and a rate of two requests a minute.
import { spawn, type ChildProcess } from "node:child_process";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    open: string;
    guarded: string;
  }
}

export const KEY = "a-key-for-the-tests-of-the-client";
export const BATCH_KEY = "a-key-for-the-tests-of-batches";
export const STREAM_KEY = "a-key-for-the-tests-of-the-stream";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const PYTHON = process.env.VISAGE_PYTHON ?? `${ROOT}.venv/bin/python`;

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const open = await start({ RATE_LIMIT: "off" });
  const guarded = await start({ API_KEYS: `tests:${KEY},batches:${BATCH_KEY},streams:${STREAM_KEY}`, RATE_LIMIT: "2/minute" });
  project.provide("open", open.url);
  project.provide("guarded", guarded.url);
  return async () => {
    await Promise.all([open, guarded].map(({ child }) => stop(child)));
  };
}

async function start(settings: Record<string, string>): Promise<{ url: string; child: ChildProcess }> {
  const port = await freePort();
  const env = { ...process.env, HOST: "127.0.0.1", PORT: String(port), WORKERS: "1", LOG_LEVEL: "warning", ...settings };
  const child = spawn(PYTHON, ["-m", "app"], { cwd: ROOT, env, stdio: ["ignore", "ignore", "inherit"] });
  const url = `http://127.0.0.1:${port}`;
  for (let attempt = 0; attempt < 300; attempt++) {
    if (child.exitCode !== null) throw new Error(`The service ended with status ${child.exitCode}.`);
    const ready = await fetch(`${url}/health/ready`).catch(() => null);
    if (ready?.ok) return { url, child };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await stop(child);
  throw new Error("The service is not ready after 30 seconds.");
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  if (child.exitCode === null && child.kill("SIGTERM")) await ended;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("No port is free.");
  return address.port;
}
