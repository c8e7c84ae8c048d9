import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, inject, it } from "vitest";

// The packed packages in an empty Next.js program, as somebody else installs them, with what the README prints.
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const CLIENT = fileURLToPath(new URL("..", import.meta.url));
const PACKAGES = [CLIENT, join(ROOT, "clients/browser")];
const MINUTES = 60_000;
const folder = mkdtempSync(join(tmpdir(), "visage-empty-"));

const BLOCKS = [...readFileSync(join(CLIENT, "README.md"), "utf8").matchAll(/^```(tsx?)\n(.*?)^```/gms)].map(([, kind, text]) => ({ kind, text: text! }));
const PROGRAMS = BLOCKS.filter(({ text }) => text.includes('url: "http://localhost:8000"'));
const COMPONENT = BLOCKS.find(({ kind }) => kind === "tsx")!;
const ROUTE = BLOCKS.find(({ text }) => text.startsWith("// app/"))!;

const LAYOUT = "export default function Layout({ children }: { children: React.ReactNode }) {\n  return <html lang=\"en\"><body>{children}</body></html>;\n}\n";
const PAGE = `"use client";

import { Upload } from "../components/upload";

async function load() {
  const { createEngine } = await import("@visage/browser");
  return createEngine({ modelsUrl: "/models/", workerUrl: "/visage/worker.js" });
}

export default function Page() {
  return <><Upload /><button onClick={() => void load()}>On this device</button></>;
}
`;

function run(where: string, command: string, ...args: string[]): string {
  try {
    return execFileSync(command, args, { cwd: where, encoding: "utf8", stdio: "pipe", env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1" } });
  } catch (error) {
    const { stdout, stderr, status, signal } = error as { stdout: string; stderr: string; status: number | null; signal: string | null };
    throw new Error(`${command} ${args.join(" ")} ended with ${signal ?? status}\n${stdout}${stderr}`);
  }
}

function write(path: string, text: string): void {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

beforeAll(() => {
  const versions = JSON.parse(readFileSync(join(ROOT, "examples/nextjs/package.json"), "utf8"));
  const own = JSON.parse(readFileSync(join(CLIENT, "package.json"), "utf8"));
  const all: Record<string, string> = { ...own.devDependencies, ...versions.devDependencies, ...versions.dependencies };
  const names = ["next", "react", "react-dom", "typescript", "ws", "@types/node", "@types/react", "@types/ws"];
  const archives = PACKAGES.map((path) => `./${run(path, "npm", "pack", "--silent", `--pack-destination=${folder}`).trim()}`);
  write("package.json", '{ "private": true, "type": "module" }\n');
  run(folder, "npm", "install", "--silent", "--no-audit", "--no-fund", "--prefer-offline", ...archives, ...names.map((name) => `${name}@${all[name]}`));
}, 4 * MINUTES);

afterAll(() => rmSync(folder, { recursive: true }));

it("runs the programs of its README in Node", { timeout: MINUTES }, () => {
  expect(PROGRAMS.length).toBe(2);
  PROGRAMS.forEach(({ text }, index) => write(`programs/${index}.ts`, text.replaceAll("http://localhost:8000", inject("open"))));
  const files = PROGRAMS.map((_, index) => `programs/${index}.ts`);
  run(folder, "node_modules/.bin/tsc", "--strict", "--target", "es2022", "--module", "nodenext", "--types", "node", ...files);
  expect(run(ROOT, "node", join(folder, "programs/0.js"))).toMatch(/^happy 0\.\d+ *\n0 happy\n1 happy\n$/);
  expect(run(ROOT, "node", join(folder, "programs/1.js"))).toMatch(/^0 \[ '1: happy' \]\n/);
});

it("builds in an empty Next.js program with the README's component and route", { timeout: 4 * MINUTES }, () => {
  write("app/layout.tsx", LAYOUT);
  write("app/page.tsx", PAGE);
  write("components/upload.tsx", COMPONENT.text);
  write(/^\/\/ (\S+)/.exec(ROUTE.text)![1]!, ROUTE.text);
  write("tsconfig.json", JSON.stringify({ compilerOptions: { strict: true, jsx: "preserve" }, exclude: ["programs"] }));
  expect(run(folder, "node_modules/.bin/next", "build")).toContain("/api/stream-token");
});
