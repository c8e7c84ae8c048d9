/** Runs in the page: the port for apps, with the runtime for browsers. */
import * as ort from "onnxruntime-web/wasm";
import { predict, type Visage } from "../../mobile/visage.js";

declare global {
  var portOn: (url: string) => Promise<Record<string, number> | null>;
}

const file = (name: string) => `${location.origin}/dist/ort-wasm-simd-threaded.${name}`;
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = { mjs: file("mjs"), wasm: file("wasm") };

async function load(): Promise<Visage> {
  const { detector, models } = await (await fetch("/models/engine.json")).json();
  const open = async ({ path }: { path: string }) =>
    ort.InferenceSession.create(await (await fetch(`/models/${path}`)).arrayBuffer());
  const [{ file, manifest }] = models;
  return { near: await open(detector.near), model: await open(file), manifest, Tensor: ort.Tensor };
}

let visage: Promise<Visage> | undefined;
globalThis.portOn = async (url) => {
  const bitmap = await createImageBitmap(await (await fetch(url)).blob());
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d")!;
  context.drawImage(bitmap, 0, 0);
  return predict(await (visage ??= load()), context.getImageData(0, 0, bitmap.width, bitmap.height));
};
