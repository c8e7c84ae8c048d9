/** The engine's worker: loads the networks, and reads one picture at a time, in the order in which they come. */

import { BlazeFace } from "./blazeface.js";
import { Classifier } from "./classifier.js";
import { EngineError } from "./errors.js";
import { loadEngineFile, loadFiles, type EngineFile } from "./files.js";
import type { Manifest } from "./manifest.js";
import { Network, prepareRuntime } from "./network.js";
import { PictureReader } from "./picture.js";
import { Pipeline, Timings } from "./pipeline.js";
import { predictedFace, timingsOf } from "./present.js";
import { rounded } from "./numbers.js";
import type { Call, Calls, EngineInfo, LoadOptions, PredictRequest, Reply } from "./protocol.js";
import type { PredictionResult } from "./types.js";
import { YuNet } from "./yunet.js";

type Progress = (loaded: number, total: number) => void;

/** A loaded engine. */
class LoadedEngine {
  readonly #pipeline: Pipeline;
  readonly #reader: PictureReader;
  readonly #manifest: Manifest;
  readonly #threshold: number;
  #predictions = 0;

  constructor(pipeline: Pipeline, reader: PictureReader, manifest: Manifest, threshold: number) {
    this.#pipeline = pipeline;
    this.#reader = reader;
    this.#manifest = manifest;
    this.#threshold = threshold;
  }

  async predict(request: PredictRequest): Promise<PredictionResult> {
    const timings = new Timings();
    const picture = await timings.time("decode", () => this.#reader.read(request.picture));
    const detected = await this.#pipeline.detect(picture, request, timings);
    const predictions = await this.#pipeline.predict(picture, detected, timings);
    const faces = predictions.map((each) => predictedFace(each, this.#manifest, this.#threshold));
    return {
      success: true,
      ...faces[0],
      faces_detected: detected.count,
      ...(request.faces === "all" ? { faces } : {}),
      image: { width: picture.width, height: picture.height, format: request.format },
      inference_time_ms: rounded(timings.stages["inference"], 2),
      timings_ms: timingsOf(timings.stages),
      model: { name: this.#manifest.name, version: this.#manifest.version },
      request_id: `device-${++this.#predictions}`,
    };
  }
}

async function load(options: LoadOptions, progress: Progress): Promise<[LoadedEngine, EngineInfo]> {
  const file = await loadEngineFile(options.modelsUrl);
  const model = modelOf(file, options.model);
  const { settings, detector } = file;
  const entries = [detector.near, detector.far, model.file];
  const data = await loadFiles(options.modelsUrl, entries, progress);
  prepareRuntime(options.threads);
  const networks: Network[] = [];
  for (const [i, bytes] of data.entries()) networks.push(await Network.load(bytes, entries[i].path));
  const [near, far, network] = networks;
  const faceDetector = { near: new BlazeFace(near), far: new YuNet(far), threshold: settings.detection_threshold };
  const pipeline = new Pipeline(faceDetector, new Classifier(model.manifest, network), settings.max_faces);
  const reader = new PictureReader(settings.max_image_pixels);
  const threshold = options.confidenceThreshold ?? settings.confidence_threshold;
  const { name, version, labels } = model.manifest;
  const info = { model: { name, version }, labels, details: [], threads: options.threads, version: file.version };
  return [new LoadedEngine(pipeline, reader, model.manifest, threshold), info];
}

function modelOf(file: EngineFile, name: string | undefined): EngineFile["models"][number] {
  const model = name === undefined ? file.models[0] : file.models.find((each) => each.manifest.name === name);
  if (model) return model;
  const names = file.models.map((each) => each.manifest.name).join(", ");
  throw new EngineError("model_not_found", `There is no model ${name} in this folder. It has: ${names}.`);
}

let engine: LoadedEngine | undefined;

const calls: {
  [Name in keyof Calls]: (value: Parameters<Calls[Name]>[0], progress: Progress) => ReturnType<Calls[Name]>;
} = {
  async load(options, progress) {
    const [loaded, info] = await load(options, progress);
    engine = loaded;
    return info;
  },
  predict(request) {
    if (!engine) throw new EngineError("internal_error", "The engine is not loaded.");
    return engine.predict(request);
  },
};

async function reply(call: Call): Promise<void> {
  const send = (message: Reply) => self.postMessage(message);
  const { id } = call;
  try {
    const work = calls[call.call] as (value: unknown, progress: Progress) => Promise<unknown>;
    send({ id, result: await work(call.value, (loaded, total) => send({ id, progress: [loaded, total] })) });
  } catch (error) {
    const { code, message } = error instanceof EngineError ? error : unexpected(error);
    send({ id, error: { code, message } });
  }
}

const unexpected = (error: unknown) =>
  new EngineError("internal_error", `The engine failed: ${error instanceof Error ? error.message : String(error)}`);

let last: Promise<void> = Promise.resolve();
self.addEventListener("message", ({ data }: MessageEvent<Call>) => {
  last = last.then(() => reply(data));
});
