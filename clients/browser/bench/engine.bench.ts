/** The figures of the README: `npm run bench`, on one core: `taskset -c 0 npm run bench`. */
import { availableParallelism } from "node:os";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import type * as api from "../src/index.js";
import { openBrowser, openPage, openSite } from "../test/site.js";
import { memory, processorTime } from "./processes.js";

declare global {
  var visage: typeof import("../src/index.js");
  var engine: api.Engine;
  var frame: ImageBitmap;
  var video: HTMLVideoElement;
}

const FRAMES = 100;
const rows: Record<string, string>[] = [];
let page: Page;
let close: () => Promise<void>;

beforeAll(async () => {
  const site = await openSite();
  const browser = await openBrowser();
  page = await openPage(browser, site);
  close = async () => {
    await browser.close();
    await site.close();
  };
});

afterAll(async () => {
  await close();
  console.table(rows);
});

/** A frame of a camera: a face whose width is a quarter of the frame's, at 640 x 480. */
async function prepare(): Promise<void> {
  const picture = await createImageBitmap(await (await fetch("/samples/neutral_sample.jpg")).blob());
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [640, 480];
  const context = canvas.getContext("2d")!;
  let shift = 0;
  const draw = () => {
    context.fillStyle = "#b8b4ac";
    context.fillRect(0, 0, 640, 480);
    context.drawImage(picture, 115 + (shift++ % 4), 0, 410, 480);
  };
  draw();
  globalThis.frame = await createImageBitmap(canvas);
  setInterval(draw, 20);
  globalThis.video = document.createElement("video");
  video.srcObject = canvas.captureStream();
  video.muted = true;
  await video.play();
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** Measures what gives the wall times of some frames in the page. */
async function measured(name: string, work: () => Promise<number[]>): Promise<void> {
  const before = processorTime();
  const times = await work();
  const processor = (processorTime() - before) / times.length;
  rows.push({
    "640 x 480, one face": name,
    "median ms": median(times).toFixed(1),
    "processor ms": processor.toFixed(1),
    "frames/s on one core": (1000 / processor).toFixed(1),
  });
  expect(times.length).toBe(FRAMES);
}

it("loads, and gives its first result", async () => {
  const empty = memory();
  const { ready, first } = await page.evaluate(async (source) => {
    await new Function(`return (${source})()`)();
    const started = performance.now();
    globalThis.engine = await visage.createEngine({ modelsUrl: "/models/" });
    const ready = performance.now() - started;
    await engine.predict(frame, { faces: "largest" });
    return { ready, first: performance.now() - started };
  }, prepare.toString());
  console.log(`ready after ${ready.toFixed(0)} ms, first result after ${first.toFixed(0)} ms`);
  console.log(`memory of the page: ${empty.toFixed(0)} MB before, ${memory().toFixed(0)} MB after the first result`);
}, 60_000);

const predictions = (count: number, options: api.EnginePredictOptions) =>
  page.evaluate(
    async ([count, options]) => {
      const times = [];
      for (let i = 0; i < count; i++) {
        const started = performance.now();
        await engine.predict(frame, options);
        times.push(performance.now() - started);
      }
      return times;
    },
    [count, options] as const,
  );

const streamed = (count: number, options: api.EngineStreamOptions) =>
  page.evaluate(
    ([count, options]) =>
      new Promise<number[]>((resolve, reject) => {
        const times: number[] = [];
        let last = performance.now();
        const stream = engine.stream(video, take, { onError: reject, ...options });
        function take() {
          times.push(performance.now() - last);
          last = performance.now();
          if (times.length === count) {
            stream.close();
            resolve(times);
          }
        }
      }),
    [count, options] as const,
  );

it("reads frames", async () => {
  // The browser compiles what runs often anew, and faster.
  await predictions(FRAMES, { faces: "largest" });
  await measured("predict", () => predictions(FRAMES, { faces: "largest" }));
  await streamed(20, {});
  await measured("stream", () => streamed(FRAMES, {}));
  const details = "action_units,blendshapes,head_pose,mesh";
  await streamed(FRAMES, { details });
  await measured("stream with details", () => streamed(FRAMES, { details }));
  console.log(`memory of the page: ${memory().toFixed(0)} MB after ${6 * FRAMES} frames, details among them`);
}, 300_000);

it.skipIf(availableParallelism() < 2)("reads frames with two threads, where the page is cross-origin isolated", async () => {
  await page.goto(new URL("/isolated", page.url()).href);
  await page.waitForFunction(() => "visage" in globalThis);
  const medians: Record<number, number[]> = { 1: [], 2: [] };
  await page.evaluate(async (source) => void (await new Function(`return (${source})()`)()), prepare.toString());
  for (const threads of [1, 2, 1, 2, 1, 2]) {
    await page.evaluate(async (threads) => {
      globalThis.engine?.close();
      globalThis.engine = await visage.createEngine({ modelsUrl: "/models/", threads });
    }, threads);
    await predictions(FRAMES, { faces: "largest" });
    medians[threads]!.push(median(await predictions(FRAMES, { faces: "largest" })));
  }
  for (const [threads, each] of Object.entries(medians)) {
    console.log(`predict with ${threads} threads: ${each.map((ms) => ms.toFixed(1)).join(", ")} ms by the clock`);
  }
}, 300_000);
