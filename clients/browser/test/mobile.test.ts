/** clients/mobile/visage.ts, the port for apps, on the golden pictures. */
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, expect, it } from "vitest";
import { openBrowser, openPage, openSite, PACKAGE, PYTHON, ROOT } from "./site.js";

const GOLDEN = join(ROOT, "clients/golden");
const folder = mkdtempSync(join(tmpdir(), "visage-mobile-"));
afterAll(() => rmSync(folder, { recursive: true }));

it("gives what the service gives for one large face", async () => {
  await build({
    entryPoints: [join(PACKAGE, "test/mobile-program.ts")],
    outfile: join(folder, "program.js"),
    bundle: true,
    format: "esm",
    conditions: ["onnxruntime-web-use-extern-wasm"],
  });
  const site = await openSite({ golden: GOLDEN, port: folder });
  const browser = await openBrowser();
  const shown = await openPage(browser, site);
  await shown.addScriptTag({ type: "module", url: "/port/program.js" });
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

it("fits the program for React Native that docs/mobile.md prints", () => {
  const [program] = /(?<=^```ts\n).*?(?=^```)/ms.exec(readFileSync(join(ROOT, "docs/mobile.md"), "utf8"))!;
  const site = join(folder, "app");
  mkdirSync(join(site, "assets/visage"), { recursive: true });
  execFileSync(PYTHON, [join(ROOT, "scripts/export_edge_models.py"), join(site, "assets/visage")]);
  writeFileSync(join(site, "program.ts"), program);
  // The package for React Native has these two from the same package as the one for browsers.
  const runtime = 'declare module "onnxruntime-react-native" { export { InferenceSession, Tensor } from "onnxruntime-common"; }\n';
  writeFileSync(join(site, "runtime.d.ts"), runtime);
  copyFileSync(join(ROOT, "clients/mobile/visage.ts"), join(site, "visage.ts"));
  const paths = { "onnxruntime-common": [join(PACKAGE, "node_modules/onnxruntime-common")] };
  const compilerOptions = { target: "es2022", module: "esnext", moduleResolution: "bundler", resolveJsonModule: true, strict: true, noEmit: true, types: [], lib: ["es2022"], skipLibCheck: true, paths };
  writeFileSync(join(site, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  const { stdout } = spawnSync(join(PACKAGE, "node_modules/.bin/tsc"), ["--project", site], { encoding: "utf8" });
  expect(stdout).toBe("");
});
