import { createHash } from "node:crypto";
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
  /** A video that shows a sample picture, one pixel to and fro. */
  var showing: (name: string) => Promise<{ video: HTMLVideoElement; stop: () => void }>;
  /** The first predictions of a stream. */
  var take: (
    video: HTMLVideoElement,
    count: number,
    options?: api.EngineStreamOptions,
  ) => Promise<api.FramePrediction[]>;
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

const engineFile = async () => JSON.parse(await readFile(join(site.models, "engine.json"), "utf8"));

/** Runs in the page: half a second of a video, in base64. */
async function recorded(): Promise<string> {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [160, 120];
  const context = canvas.getContext("2d")!;
  let shade = 0;
  const timer = setInterval(() => {
    context.fillStyle = `rgb(${(shade += 5)} 90 90)`;
    context.fillRect(0, 0, 160, 120);
  }, 20);
  const recorder = new MediaRecorder(canvas.captureStream(), { mimeType: "video/webm" });
  const parts: Blob[] = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  recorder.start();
  await new Promise((done) => setTimeout(done, 500));
  const stopped = new Promise((done) => (recorder.onstop = done));
  recorder.stop();
  await stopped;
  clearInterval(timer);
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  return btoa([...bytes].map((byte) => String.fromCharCode(byte)).join(""));
}

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

  it("turns WebP files upright, which Chromium does not", async () => {
    const results = await page.evaluate(async () => {
      const exif = (orientation: number) =>
        Uint8Array.of(73, 73, 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0);
      const drawn = (picture: ImageBitmap) => {
        const canvas = new OffscreenCanvas(picture.width, picture.height);
        canvas.getContext("2d")!.drawImage(picture, 0, 0);
        return canvas;
      };
      /** The picture, turned by an orientation: Chromium does that with a JPEG. */
      const turned = async (picture: OffscreenCanvas, orientation: number) => {
        const jpeg = await picture.convertToBlob({ type: "image/jpeg", quality: 1 });
        const start = Uint8Array.of(0xff, 0xd8, 0xff, 0xe1, 0, 34, 69, 120, 105, 102, 0, 0);
        return drawn(await createImageBitmap(new Blob([start, exif(orientation), jpeg.slice(2)])));
      };
      /** Chromium writes WebP in the extended format, with room for EXIF at the end. */
      const webp = async (picture: OffscreenCanvas, orientation: number) => {
        const plain = await picture.convertToBlob({ type: "image/webp", quality: 0.99 });
        const chunk = Uint8Array.of(69, 88, 73, 70, 26, 0, 0, 0);
        const file = await new Blob([plain, chunk, exif(orientation)]).arrayBuffer();
        const view = new DataView(file);
        view.setUint32(4, file.byteLength - 8, true);
        view.setUint8(20, view.getUint8(20) | 8);
        return new Blob([file], { type: "image/webp" });
      };
      const upright = new OffscreenCanvas(640, 512);
      upright.getContext("2d")!.drawImage(await createImageBitmap(await sample("happy_sample")), 100, 0);
      const results = [];
      for (const orientation of [1, 2, 3, 4, 5, 6, 7, 8]) {
        const inverse = { 6: 8, 8: 6 }[orientation] ?? orientation;
        const stored = await turned(upright, inverse);
        const { image, face } = await engine.predict(await webp(stored, orientation));
        results.push({ image, box: face.box, stored: [stored.width, stored.height] });
      }
      return results;
    });
    const first = results[0]!;
    expect(results.map(({ stored }) => stored[0])).toEqual([640, 640, 640, 640, 512, 512, 512, 512]);
    for (const { image, box } of results) {
      expect(image).toEqual({ width: 640, height: 512, format: "webp" });
      for (const side of ["x", "y", "width", "height"] as const) {
        expect(Math.abs(box[side] - first.box[side])).toBeLessThanOrEqual(3);
      }
    }
  });

  it("reads the middle of a picture without a face where the caller wants it", async () => {
    const result = await page.evaluate(async () => engine.predict(await sample("no_face"), { on_no_face: "center" }));
    expect(result.face.score).toBe(0);
    expect(result.face.landmarks).toEqual({});
    expect(result.warnings.map((warning) => warning.code)).toContain("face_assumed");
  });
});

describe("details", () => {
  it("gives what is asked for, and nothing else", async () => {
    const { asked, plain, names } = await page.evaluate(async () => {
      const blob = await sample("happy_sample");
      const details = "action_units,blendshapes,head_pose,mesh,emotion_vector,description";
      const asked = await engine.predict(blob, { details, language: "de" });
      return { asked, plain: await engine.predict(blob), names: engine.info.details };
    });
    expect(asked.action_units!["AU12"]).toMatchObject({ name: "lip corner puller", active: true });
    expect(Object.keys(asked.blendshapes!)).toHaveLength(52);
    expect(asked.mesh).toHaveLength(478);
    expect(Math.abs(asked.head_pose!.yaw)).toBeLessThan(25);
    expect(asked.emotion_vector!.happiness).toBe(asked.probabilities["happy"]);
    expect(asked.description).toMatch(/^Sichtbarer Ausdruck|ausdruck/i);
    expect(asked.timings_ms).toHaveProperty("mesh");
    for (const name of names) expect(plain).not.toHaveProperty(name);
  });

  it("is null where no mesh can be seen, with a warning", async () => {
    const result = await page.evaluate(async () => {
      const canvas = new OffscreenCanvas(320, 240);
      const context = canvas.getContext("2d")!;
      context.fillRect(0, 0, 320, 240);
      context.drawImage(await createImageBitmap(await sample("happy_sample")), 0, 0, 150, 150);
      return engine.predict(canvas, { details: ["head_pose", "action_units"] });
    });
    expect(result.face.box.width).toBeLessThan(32);
    expect(result.head_pose).toBeNull();
    expect(result.action_units).toBeNull();
    expect(result.warnings.map((warning) => warning.code)).toContain("mesh_unsure");
  });

  it("has an error for a name that is none, and for a folder without the files", async () => {
    const contents = await engineFile();
    const plain = JSON.stringify({ ...contents, details: undefined });
    site.overrides.set("/models/engine.json", (response) => response.end(plain));
    const codes = await page.evaluate(async () => {
      const other = await visage.createEngine({ modelsUrl: "/models/" });
      const blob = await sample("happy_sample");
      const codes = [
        await codeOf(other.predict(blob, { details: "mesh" })),
        await codeOf(other.predict(blob, { details: "soul" })),
      ];
      const { emotion_vector } = await other.predict(blob, { details: "emotion_vector" });
      other.close();
      return { codes, emotion_vector, names: other.info.details };
    });
    expect(codes.codes).toEqual(["details_unavailable", "invalid_request"]);
    expect(codes.names).toEqual(["emotion_vector"]);
    expect(codes.emotion_vector!.happiness).toBeGreaterThan(0.9);
  });
});

const tracksOf = (frame: api.FramePrediction) => frame.faces.map((face) => face.track);

describe("heat maps", () => {
  it("are there where they are asked for, in the service's form", async () => {
    const { asked, plain, code } = await page.evaluate(async () => {
      const blob = await sample("happy_sample");
      const other = "occlusion" as "cam";
      return {
        asked: await engine.predict(blob, { explain: "grid", explain_method: "cam" }),
        plain: await engine.predict(blob),
        code: await codeOf(engine.predict(blob, { explain: "grid", explain_method: other })),
      };
    });
    expect(plain).not.toHaveProperty("explanation");
    expect(code).toBe("invalid_request");
    const { explanation } = asked as { explanation: { grid: number[][]; corners: number[][] } };
    expect(explanation).toMatchObject({ method: "cam", label: "happy" });
    expect(explanation.corners).toHaveLength(4);
    expect(Math.max(...explanation.grid.flat())).toBe(1);
  });
});

describe("stream", () => {
  beforeAll(async () => {
    await page.evaluate(() => {
      globalThis.showing = async (name) => {
        const bitmap = await createImageBitmap(await sample(name));
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
        const context = canvas.getContext("2d")!;
        let shift = 0;
        const timer = setInterval(() => context.drawImage(bitmap, shift++ % 2, 0), 33);
        const video = document.createElement("video");
        video.srcObject = canvas.captureStream(30);
        video.muted = true;
        await video.play();
        return { video, stop: () => clearInterval(timer) };
      };
      globalThis.take = (video, count, options = {}) =>
        new Promise((resolve, reject) => {
          const taken: api.FramePrediction[] = [];
          const stream = engine.stream(video, add, { onError: reject, ...options });
          function add(prediction: api.FramePrediction) {
            taken.push(prediction);
            if (taken.length < count) return;
            stream.close();
            resolve(taken);
          }
        });
    });
  });

  it("follows a face, and passes over what comes while a frame is read", async () => {
    const frames = await page.evaluate(async () => {
      const { video, stop } = await showing("happy_sample");
      const frames = await take(video, 8);
      stop();
      return frames;
    });
    frames.forEach((frame, i) => {
      const before = frames[i - 1];
      // A face that was not seen for a second, on a slow machine, is another one.
      if (before && frame.t - before.t < 1) expect(tracksOf(frame)).toEqual(tracksOf(before));
      expect(frame.faces[0]!.emotion).toBe("happy");
      expect(frame.faces[0]!.smoothed!["happy"]).toBeGreaterThan(0.9);
      expect(frame.frame).toBe((before?.frame ?? -1) + 1 + frame.skipped);
      expect(frame.t).toBeGreaterThan(before?.t ?? -1);
    });
    expect(frames[0]!.image).toEqual({ width: 512, height: 512, format: "bmp" });
  });

  it("numbers several faces, and adds blinks to their units", async () => {
    const frames = await page.evaluate(async () => {
      const { video, stop } = await showing("multiple_faces");
      const frames = await take(video, 3, { faces: "all", details: "action_units", smoothing: 0 });
      stop();
      return frames;
    });
    const last = frames[2]!;
    expect(new Set(tracksOf(last)).size).toBe(2);
    expect(last.faces[0]!.smoothed).toBeNull();
    expect(last.faces[0]!.action_units!["AU45"]!.name).toBe("blink");
  });

  it("shows no faces where there are none", async () => {
    const frames = await page.evaluate(async () => {
      const { video, stop } = await showing("no_face");
      const frames = await take(video, 2);
      stop();
      return frames;
    });
    expect(frames.map((frame) => frame.faces)).toEqual([[], []]);
  });

  it("tells of errors and goes on, and gives nothing after it is closed", async () => {
    const { codes, late } = await page.evaluate(async () => {
      const { video, stop } = await showing("happy_sample");
      const codes: string[] = [];
      await new Promise<void>((done) => {
        const stream = engine.stream(video, () => {}, {
          details: "soul",
          onError: (error) => codes.push(error.code) === 2 && (stream.close(), done()),
        });
      });
      let late = 0;
      const closed = engine.stream(video, () => late++);
      closed.close();
      engine.stream(video, () => late++, { signal: AbortSignal.abort() });
      await take(video, 2);
      stop();
      return { codes, late };
    });
    expect(codes).toEqual(["invalid_request", "invalid_request"]);
    expect(late).toBe(0);
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
    const { models } = await engineFile();
    const file = join(site.models, models[0].file.path);
    const data = await readFile(file);
    data[data.length - 1]! ^= 1;
    site.overrides.set(`/models/${models[0].file.path}`, (response) => response.end(data));
    expect(await failure()).toBe("model_file_mismatch");
  });

  it("says so where a model does not run in this browser", async () => {
    const contents = await engineFile();
    const damaged = Buffer.from("no network");
    const path = "damaged.onnx";
    const sha256 = createHash("sha256").update(damaged).digest("hex");
    contents.models[0].file = { path, sha256, bytes: damaged.length };
    site.overrides.set("/models/engine.json", (response) => response.end(JSON.stringify(contents)));
    site.overrides.set(`/models/${path}`, (response) => response.end(damaged));
    expect(await failure()).toBe("model_rejected");
  });

  it("refuses a picture with more pixels than the service takes", async () => {
    const contents = await engineFile();
    contents.settings.max_image_pixels = 200 * 100;
    site.overrides.set("/models/engine.json", (response) => response.end(JSON.stringify(contents)));
    const codes = await page.evaluate(async () => {
      const other = await visage.createEngine({ modelsUrl: "/models/" });
      const bitmap = await createImageBitmap(await sample("happy_sample"));
      const codes = [];
      for (const picture of [new ImageData(201, 100), bitmap, new VideoFrame(bitmap, { timestamp: 0 }), new ImageData(200, 100)]) {
        codes.push(await codeOf(other.predict(picture)));
      }
      other.close();
      return codes;
    });
    expect(codes).toEqual([...Array(3).fill("image_too_large"), "no_face_detected"]);
  });

  it("says so where a picture or a video comes from another origin", async () => {
    const elsewhere = await openSite();
    try {
      const video = Buffer.from(await page.evaluate(recorded), "base64");
      const kind = { "Content-Type": "video/webm", "Cross-Origin-Resource-Policy": "cross-origin" };
      elsewhere.overrides.set("/video.webm", (response) => response.writeHead(200, kind).end(video));
      const codes = await page.evaluate(async (url) => {
        const image = new Image();
        image.src = `${url}/samples/happy_sample.jpg`;
        await image.decode();
        const video = document.createElement("video");
        [video.src, video.muted, video.loop] = [`${url}/video.webm`, true, true];
        await video.play();
        const streamed = await new Promise<string>((done) => {
          const stream = engine.stream(video, () => done("no error"), {
            onError: (error) => (stream.close(), done(error.code)),
          });
        });
        const codes = [await codeOf(engine.predict(image)), await codeOf(engine.predict(video)), streamed];
        // The engine goes on.
        return [...codes, (await engine.predict(await sample("happy_sample"))).emotion];
      }, elsewhere.url);
      expect(codes).toEqual(["invalid_image", "invalid_image", "invalid_image", "happy"]);
    } finally {
      await elsewhere.close();
    }
  });

  it("says which file is missing", async () => {
    const { detector } = await engineFile();
    site.overrides.set(`/models/${detector.far.path}`, (response) => response.writeHead(404).end());
    expect(await failure()).toBe("model_file_missing");
    expect(await failure({ modelsUrl: "/nowhere/" })).toBe("model_file_missing");
    expect(await failure({ modelsUrl: "http://127.0.0.1:9/" })).toBe("model_file_unreachable");
    expect(await failure({ model: "other" })).toBe("model_not_found");
    expect(await failure({ workerUrl: "/dist/nothing.js" })).toBe("worker_failed");
    expect(await failure({ workerUrl: "http://127.0.0.1:9/worker.js" })).toBe("worker_failed");
    expect(await failure({ modelsUrl: "http://" })).toBe("invalid_request");
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

  it("asks nobody but the page's own server", async () => {
    const other = await openPage(browser, site, "/isolated");
    const hosts = new Set<string>();
    other.context().on("request", (request) => hosts.add(new URL(request.url()).origin));
    await prepare(other);
    const { threads, emotion } = await other.evaluate(async () => {
      const own = await visage.createEngine({ modelsUrl: "/models/" });
      const { emotion } = await own.predict(await sample("happy_sample"), { details: "description" });
      own.close();
      return { threads: own.info.threads, emotion };
    });
    await other.close();
    expect(emotion).toBe("happy");
    expect(threads).toBeGreaterThan(1);
    expect([...hosts]).toEqual([site.url]);
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

  it("hears an abort while the picture is copied, and listens to a signal for no longer than it reads", async () => {
    const result = await page.evaluate(async () => {
      const image = new Image();
      image.src = URL.createObjectURL(await sample("happy_sample"));
      await image.decode();
      const controller = new AbortController();
      const copy = createImageBitmap;
      const copies: ImageBitmap[] = [];
      globalThis.createImageBitmap = async (picture: ImageBitmapSource) => {
        copies.push(await copy(picture));
        return copies[0]!;
      };
      const stopped = codeOf(engine.predict(image, { signal: controller.signal }));
      globalThis.createImageBitmap = copy;
      controller.abort("enough");
      const reason = await stopped;
      const widths = copies.map(({ width }) => width);
      const { signal } = new AbortController();
      let listeners = 0;
      signal.addEventListener = () => listeners++;
      signal.removeEventListener = () => listeners--;
      const read = await codeOf(engine.predict(image, { signal }));
      engine.stream(document.createElement("video"), () => {}, { signal }).close();
      return { reason, widths, read, listeners };
    });
    // A bitmap that is closed has no width.
    expect(result).toEqual({ reason: "enough", widths: [0], read: "no error", listeners: 0 });
  });
});
