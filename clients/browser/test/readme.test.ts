/** The program that the README prints, as it is printed. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, expect, it } from "vitest";
import { openBrowser, openSite, PACKAGE, ROOT } from "./site.js";

const folder = mkdtempSync(join(tmpdir(), "visage-readme-"));
afterAll(() => rmSync(folder, { recursive: true }));

it("runs, and reads a photo", async () => {
  const program = /^```ts\n(.*?)^```/ms.exec(readFileSync(join(PACKAGE, "README.md"), "utf8"))![1]!;
  await build({
    stdin: { contents: program, resolveDir: PACKAGE, loader: "ts" },
    outfile: join(folder, "program.js"),
    bundle: true,
    format: "esm",
    alias: { "@visage/browser": "/dist/index.js" },
    external: ["/dist/index.js"],
  });
  const site = await openSite({ program: folder });
  const photo = readFileSync(join(ROOT, "sample_images/happy_sample.jpg"));
  site.overrides.set("/photo.jpg", (response) => response.writeHead(200, { "Content-Type": "image/jpeg" }).end(photo));
  const browser = await openBrowser();
  const page = await browser.newPage();
  await page.goto(site.url);
  const line = page.waitForEvent("console");
  await page.addScriptTag({ type: "module", url: "/program/program.js" });
  expect((await line).text()).toMatch(/^happy 0\.9\d+ *$/);
  await browser.close();
  await site.close();
});
