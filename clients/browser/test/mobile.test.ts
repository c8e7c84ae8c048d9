/** The port that docs/mobile.md prints, on the golden pictures. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, expect, it } from "vitest";
import { openBrowser, openPage, openSite, PACKAGE, ROOT } from "./site.js";

declare global {
  var portOn: (url: string) => Promise<Record<string, number> | null>;
}

const GOLDEN = join(ROOT, "clients/golden");
const folder = mkdtempSync(join(tmpdir(), "visage-mobile-"));
afterAll(() => rmSync(folder, { recursive: true }));

const HARNESS = `
import * as ort from "onnxruntime-web/wasm";
import { predict } from "${folder}/predict.ts";
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = { mjs: location.origin + "/dist/ort-wasm-simd-threaded.mjs", wasm: location.origin + "/dist/ort-wasm-simd-threaded.wasm" };
let visage;
async function load() {
  const { detector, models } = await (await fetch("/models/engine.json")).json();
  const open = async ({ path }) => ort.InferenceSession.create(await (await fetch("/models/" + path)).arrayBuffer());
  return { near: await open(detector.near), model: await open(models[0].file), tensor: ort.Tensor, manifest: models[0].manifest };
}
globalThis.portOn = async (url) => {
  const bitmap = await createImageBitmap(await (await fetch(url)).blob());
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  return predict((visage ??= await load()), context.getImageData(0, 0, bitmap.width, bitmap.height));
};`;

it("gives what the service gives for one large face", async () => {
  const page = readFileSync(join(ROOT, "docs/mobile.md"), "utf8");
  const programs = [...page.matchAll(/^```ts\n\/\/ (\S+)\n(.*?)^```/gms)];
  expect(programs.map(([, name]) => name)).toEqual(["port.ts", "predict.ts"]);
  for (const [, name, text] of programs) writeFileSync(join(folder, name!), text!);
  await build({
    stdin: { contents: HARNESS, resolveDir: PACKAGE },
    outfile: join(folder, "harness.js"),
    bundle: true,
    format: "esm",
    conditions: ["onnxruntime-web-use-extern-wasm"],
  });
  const site = await openSite({ golden: GOLDEN, port: folder });
  const browser = await openBrowser();
  const shown = await openPage(browser, site);
  await shown.addScriptTag({ type: "module", url: "/port/harness.js" });
  const { pictures, labels } = JSON.parse(readFileSync(join(GOLDEN, "pictures.json"), "utf8"));
  for (const { file, faces } of pictures) {
    // These need the second network, or close-ups.
    if (["small.png", "two.png", "cut.png", "close.png"].includes(file)) continue;
    const found = await shown.evaluate((url) => portOn(url), `/golden/${file}`);
    expect(Boolean(found), file).toBe(faces.length > 0);
    for (const [i, label] of labels.entries()) {
      if (found) expect(Math.abs(found[label]! - faces[0].probabilities[i]), `${file}: ${label}`).toBeLessThan(0.05);
    }
  }
  await browser.close();
  await site.close();
});
