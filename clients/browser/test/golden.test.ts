/** The engine's stages against those of the service, which scripts/golden_vectors.py wrote. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBrowser, openPage, openSite, PACKAGE, PYTHON, ROOT, type Site } from "./site.js";
import type { Stages } from "./stages.js";

declare global {
  var stagesOf: (url: string, withDetails: boolean) => Promise<Stages[]>;
}

interface Photo {
  from: string;
  file: string;
  faces: { box: number[]; probabilities: number[]; warnings: string[] }[];
}

type GoldenFace = Omit<Stages, "crop"> & { crop: string; logits: number[] };

const GOLDEN = join(ROOT, "clients/golden");
const read = (name: string) => JSON.parse(readFileSync(join(GOLDEN, name), "utf8"));
const { pictures, tolerances } = read("pictures.json") as {
  pictures: { file: string; faces: GoldenFace[] }[];
  tolerances: { overlap: number; probability: number; same_label: number };
};
const { photos } = read("photos.json") as { photos: Photo[] };

let site: Site;
let browser: Browser;
let page: Page;
const folder = mkdtempSync(join(tmpdir(), "visage-golden-"));

beforeAll(async () => {
  await build({
    absWorkingDir: PACKAGE,
    stdin: {
      contents: 'import { stagesOf } from "./test/stages.ts"; globalThis.stagesOf = stagesOf;',
      resolveDir: PACKAGE,
    },
    outfile: join(folder, "stages.js"),
    bundle: true,
    format: "esm",
    conditions: ["onnxruntime-web-use-extern-wasm"],
  });
  execFileSync(PYTHON, [join(ROOT, "scripts/golden_vectors.py"), "extract", folder], { stdio: "inherit" });
  site = await openSite({ golden: GOLDEN, photos: folder });
  browser = await openBrowser();
  page = await openPage(browser, site);
  await page.addScriptTag({ type: "module", url: "/photos/stages.js" });
  await page.waitForFunction(() => "stagesOf" in globalThis);
});

afterAll(async () => {
  await browser?.close();
  await site?.close();
  rmSync(folder, { recursive: true });
});

const stagesOf = (url: string, withDetails: boolean) =>
  page.evaluate(([url, withDetails]) => globalThis.stagesOf(url, withDetails), [url, withDetails] as const);

const farthest = (one: readonly number[], other: readonly number[]) =>
  Math.max(...one.map((value, i) => Math.abs(value - other[i]!)));

const best = (values: readonly number[]) => values.indexOf(Math.max(...values));

function overlap([ax, ay, aw, ah]: number[], [bx, by, bw, bh]: number[]): number {
  const across = Math.max(0, Math.min(ax! + aw!, bx! + bw!) - Math.max(ax!, bx!));
  const down = Math.max(0, Math.min(ay! + ah!, by! + bh!) - Math.max(ay!, by!));
  return (across * down) / (aw! * ah! + bw! * bh! - across * down);
}

describe.each(pictures)("$file", ({ file, faces: golden }) => {
  let faces: Stages[];
  beforeAll(async () => {
    faces = await stagesOf(`/golden/${file}`, true);
  });

  it("has the same faces", () => {
    expect(faces.length).toBe(golden.length);
    golden.forEach((face, i) => {
      expect(overlap(face.box, faces[i]!.box)).toBeGreaterThan(0.99);
      expect(faces[i]!.score).toBeCloseTo(face.score, 2);
      face.landmarks.forEach((point, k) => expect(farthest(point, faces[i]!.landmarks[k]!)).toBeLessThan(0.5));
    });
  });

  it("has the same crop, within a level of grey in the mean", () => {
    golden.forEach((face, i) => {
      const crop = Buffer.from(face.crop, "base64");
      const off = faces[i]!.crop.reduce((sum, value, k) => sum + Math.abs(value - crop[k]!), 0) / crop.length;
      expect(off).toBeLessThan(1);
    });
  });

  it("has the same probabilities and warnings", () => {
    golden.forEach((face, i) => {
      expect(farthest(face.probabilities, faces[i]!.probabilities)).toBeLessThan(tolerances.probability);
      expect(faces[i]!.warnings).toEqual(face.warnings);
    });
  });

  it("has the same heat map", () => {
    golden.forEach((face, i) => {
      expect(faces[i]!.heatmap.length).toBe(face.heatmap.length);
      face.heatmap.forEach((row, k) => expect(farthest(row, faces[i]!.heatmap[k]!)).toBeLessThan(0.1));
    });
  });

  it("has the same mesh, pose, blendshapes and action units", () => {
    golden.forEach((face, i) => {
      const [expected, found] = [face.details!, faces[i]!.details!];
      const off = expected.mesh.map((point, k) => farthest(point.slice(0, 2), found.mesh[k]!.slice(0, 2)));
      expect(off.reduce((sum, each) => sum + each, 0) / off.length).toBeLessThan(0.005 * face.box[2]!);
      expect(farthest(Object.values(expected.head_pose), Object.values(found.head_pose))).toBeLessThan(0.5);
      expect(farthest(expected.blendshapes, found.blendshapes)).toBeLessThan(0.05);
      expect(Object.keys(found.action_units)).toEqual(Object.keys(expected.action_units));
      expect(farthest(Object.values(expected.action_units), Object.values(found.action_units))).toBeLessThan(0.1);
    });
  });
});

it("reads photos as the service does", async () => {
  const there = photos.filter(({ from, file }) => existsSync(join(folder, from, file)));
  const same = { overlaps: 0, probabilities: 0, labels: 0, warnings: 0 };
  let count = 0;
  for (const { from, file, faces: golden } of there) {
    const faces = await stagesOf(`/photos/${from}/${file}`, false);
    expect(faces.length, file).toBe(golden.length);
    count += golden.length;
    golden.forEach((face, i) => {
      const found = faces[i]!;
      same.overlaps += Number(overlap(face.box, found.box) >= tolerances.overlap);
      same.probabilities += Number(farthest(face.probabilities, found.probabilities) <= tolerances.probability);
      same.labels += Number(best(face.probabilities) === best(found.probabilities));
      same.warnings += Number(String(face.warnings) === String(found.warnings));
    });
  }
  expect(count).toBeGreaterThan(15);
  expect(same.overlaps / count).toBe(1);
  expect(same.probabilities / count).toBeGreaterThanOrEqual(tolerances.same_label);
  expect(same.labels / count).toBeGreaterThanOrEqual(tolerances.same_label);
  expect(same.warnings / count).toBeGreaterThanOrEqual(tolerances.same_label);
}, 120_000);
