import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type * as api from "../src/index.js";
import { openBrowser, openPage, openSite, type Site } from "./site.js";

declare global {
  var visage: typeof import("../src/index.js");
  var engine: api.Engine;
  /** The blob of a sample picture. */
  var sample: (name: string) => Promise<Blob>;
  /** The code of the error that a promise rejects with. */
  var codeOf: (promise: Promise<unknown>) => Promise<string>;
}

let site: Site;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  site = await openSite();
  browser = await openBrowser();
  page = await openPage(browser, site);
  await prepare(page);
  await page.evaluate(async () => {
    globalThis.engine = await visage.createEngine({ modelsUrl: "models" });
  });
});

afterAll(async () => {
  await browser?.close();
  await site?.close();
});

beforeEach(() => site.overrides.clear());

async function prepare(page: Page): Promise<void> {
  await page.evaluate(() => {
    globalThis.sample = async (name) => (await fetch(`/samples/${name}.jpg`)).blob();
    globalThis.codeOf = (promise) =>
      promise.then(
        () => "no error",
        (error: unknown) => (error instanceof visage.EngineError ? error.code : String(error)),
      );
  });
}

/** The code of the error with which an engine of this folder of models fails. */
const failure = (options = {}) =>
  page.evaluate((options) => codeOf(visage.createEngine({ modelsUrl: "/models/", ...options })), options);

describe("predict", () => {
  it("says what is loaded", async () => {
    const info = await page.evaluate(() => engine.info);
    expect(info.model.name).toBe("default");
    expect(info.labels).toContain("happy");
    expect(info.threads).toBe(1);
  });

  it("gives a result in the service's form", async () => {
    const result = await page.evaluate(async () => engine.predict(await sample("happy_sample")));
    expect(result).toMatchObject({
      success: true,
      emotion: "happy",
      is_uncertain: false,
      faces_detected: 1,
      warnings: [],
    });
    expect(result.image).toEqual({ width: 512, height: 512, format: "jpeg" });
    expect(result.face.landmarks["left_eye"]![0]).toBeGreaterThan(result.face.landmarks["right_eye"]![0]);
    expect(Object.values(result.probabilities).reduce((sum, each) => sum + each)).toBeCloseTo(1, 3);
    expect(Object.keys(result.timings_ms)).toEqual(["decode", "detect", "prepare", "inference", "total"]);
    expect(result).not.toHaveProperty("faces");
  });

  it("reads every kind of picture alike", async () => {
    const boxes = await page.evaluate(async () => {
      const blob = await sample("happy_sample");
      const bitmap = await createImageBitmap(blob);
      const canvas = new OffscreenCanvas(512, 512);
      const context = canvas.getContext("2d")!;
      context.drawImage(bitmap, 0, 0);
      const element = new Image();
      element.src = URL.createObjectURL(blob);
      await element.decode();
      const frame = new VideoFrame(bitmap, { timestamp: 0 });
      const pictures = [blob, bitmap, canvas, context.getImageData(0, 0, 512, 512), element, frame, bitmap, frame];
      const boxes = [];
      for (const picture of pictures) boxes.push((await engine.predict(picture)).face.box);
      frame.close();
      return boxes;
    });
    expect(boxes).toHaveLength(8);
    for (const box of boxes) expect(box).toEqual(boxes[0]);
  });

  it("gives all faces, the largest, or an error for several", async () => {
    const { all, largest, one } = await page.evaluate(async () => {
      const blob = await sample("multiple_faces");
      const all = await engine.predict(blob, { faces: "all" });
      return {
        all,
        largest: await engine.predict(blob, { faces: "largest" }),
        one: await codeOf(engine.predict(blob)),
      };
    });
    expect(all.faces!.length).toBe(2);
    expect(all.faces![0]!.face.box).toEqual(largest.face.box);
    expect(largest.warnings.map((warning) => warning.code)).toEqual(["multiple_faces"]);
    expect(one).toBe("multiple_faces");
  });

  it("turns pictures upright", async () => {
    const result = await page.evaluate(async () => engine.predict(await sample("rotated_exif")));
    expect(result.emotion).toBe("happy");
  });

  it("reads the middle of a picture without a face where the caller wants it", async () => {
    const result = await page.evaluate(async () => engine.predict(await sample("no_face"), { on_no_face: "center" }));
    expect(result.face.score).toBe(0);
    expect(result.face.landmarks).toEqual({});
    expect(result.warnings.map((warning) => warning.code)).toContain("face_assumed");
  });
});

describe("bad input", () => {
  it("has a code each", async () => {
    const codes = await page.evaluate(async () => ({
      noFace: await codeOf(engine.predict(await sample("no_face"))),
      text: await codeOf(engine.predict(new Blob(["no picture"]))),
      tiny: await codeOf(engine.predict(new ImageData(20, 500))),
      emptyElement: await codeOf(engine.predict(document.createElement("video"))),
    }));
    expect(codes).toEqual({
      noFace: "no_face_detected",
      text: "invalid_image",
      tiny: "image_too_small",
      emptyElement: "invalid_image",
    });
  });

  it("rejects a model that is not the one in engine.json", async () => {
    const { models } = JSON.parse(await readFile(join(site.models, "engine.json"), "utf8"));
    const file = join(site.models, models[0].file.path);
    const data = await readFile(file);
    data[data.length - 1]! ^= 1;
    site.overrides.set(`/models/${models[0].file.path}`, (response) => response.end(data));
    expect(await failure()).toBe("model_file_mismatch");
  });

  it("says which file is missing", async () => {
    const { detector } = JSON.parse(await readFile(join(site.models, "engine.json"), "utf8"));
    site.overrides.set(`/models/${detector.far.path}`, (response) => response.writeHead(404).end());
    expect(await failure()).toBe("model_file_missing");
    expect(await failure({ modelsUrl: "/nowhere/" })).toBe("model_file_missing");
    expect(await failure({ modelsUrl: "http://127.0.0.1:9/" })).toBe("model_file_unreachable");
    expect(await failure({ model: "other" })).toBe("model_not_found");
    expect(await failure({ workerUrl: "/dist/nothing.js" })).toBe("worker_failed");
  });

  it("says so where the browser has no SIMD", async () => {
    const code = await page.evaluate(async () => {
      const validate = WebAssembly.validate;
      WebAssembly.validate = () => false;
      try {
        return await codeOf(visage.createEngine({ modelsUrl: "/models/" }));
      } finally {
        WebAssembly.validate = validate;
      }
    });
    expect(code).toBe("unsupported_browser");
  });

  it("ends what waits when the engine is closed", async () => {
    const codes = await page.evaluate(async () => {
      const other = await visage.createEngine({ modelsUrl: "/models/" });
      const waiting = codeOf(other.predict(await sample("happy_sample")));
      await Promise.resolve();
      other.close();
      return [await waiting, await codeOf(other.predict(await sample("happy_sample")))];
    });
    expect(codes).toEqual(["engine_closed", "engine_closed"]);
  });

  it("keeps the reason of the caller's own abort", async () => {
    const reasons = await page.evaluate(async () => {
      const blob = await sample("happy_sample");
      const signal = AbortSignal.abort("enough");
      const later = new AbortController();
      const loading = codeOf(visage.createEngine({ modelsUrl: "/models/", signal: later.signal }));
      later.abort("too slow");
      return [await codeOf(engine.predict(blob, { signal })), await loading];
    });
    expect(reasons).toEqual(["enough", "too slow"]);
  });
});
