/** A site with the built package and the models, and a Chromium that shows it. */
import { execFileSync } from "node:child_process";
import { createReadStream, existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium, type Browser, type Page } from "playwright-core";

export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
export const PACKAGE = fileURLToPath(new URL("../", import.meta.url));
export const PYTHON = process.env["VISAGE_PYTHON"] ?? join(ROOT, ".venv/bin/python");

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
  ".png": "image/png",
  ".jpg": "image/jpeg",
};
const PAGE =
  '<!doctype html><meta charset="utf-8"><title>Engine</title><link rel="icon" href="data:,"><script type="module">import * as visage from "/dist/index.js"; globalThis.visage = visage;</script>';
const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

export interface Site {
  readonly url: string;
  /** The folder of the models, at `/models/`. */
  readonly models: string;
  /** Answers some paths otherwise than with the file. */
  readonly overrides: Map<string, (response: ServerResponse) => void>;
  close(): Promise<void>;
}

/** Serves the package at `/dist/`, models at `/models/`, samples at `/samples/`, and any other `folders`. */
export async function openSite(folders: Readonly<Record<string, string>> = {}): Promise<Site> {
  const models = mkdtempSync(join(tmpdir(), "visage-edge-"));
  execFileSync(PYTHON, [join(ROOT, "scripts/export_edge_models.py"), models, "--details"], { stdio: "ignore" });
  const overrides: Site["overrides"] = new Map();
  const places = { dist: join(PACKAGE, "dist"), models, samples: join(ROOT, "sample_images"), ...folders };
  const server = createServer((request, response) => serve(places, overrides, request, response));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    models,
    overrides,
    close: () => closed(server, models),
  };
}

function serve(
  places: Readonly<Record<string, string>>,
  overrides: Site["overrides"],
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const path = new URL(request.url ?? "/", "http://localhost").pathname;
  const override = overrides.get(path);
  if (override) return override(response);
  if (path === "/" || path === "/isolated") {
    response.writeHead(200, { "Content-Type": "text/html", ...(path === "/" ? {} : ISOLATED) }).end(PAGE);
    return;
  }
  const [, place = "", ...rest] = path.split("/");
  const file = place in places ? join(places[place]!, normalize(rest.join("/"))) : "";
  if (!file || !existsSync(file) || !statSync(file).isFile()) {
    response.writeHead(404).end();
    return;
  }
  const type = TYPES[extname(file)] ?? "application/octet-stream";
  response.writeHead(200, { "Content-Type": type, "Cache-Control": "no-store", ...ISOLATED });
  createReadStream(file).pipe(response);
}

async function closed(server: Server, models: string): Promise<void> {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  rmSync(models, { recursive: true });
}

export const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

export function openBrowser(...args: string[]): Promise<Browser> {
  const sandbox = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath: CHROMIUM, args: [...sandbox, ...args] });
}

export async function openPage(browser: Browser, site: Site, path = "/"): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(site.url + path);
  await page.waitForFunction(() => "visage" in globalThis);
  return page;
}
