/** The engine inside the worker: networks that are loaded, and what they say of a picture. */

import type { Classifier } from "./classifier.js";
import {
  DETAILS,
  detailsOf,
  faceDetails,
  needsMesh,
  WITHOUT_MESH,
  type DetailKnowledge,
  type DetailNames,
} from "./details.js";
import { EngineError } from "./errors.js";
import type { FaceDetector } from "./face-search.js";
import { methodOf } from "./heatmap.js";
import { rounded } from "./numbers.js";
import { PictureReader } from "./picture.js";
import { Pipeline, Timings, type FacePrediction } from "./pipeline.js";
import { predictedFace, timingsOf } from "./present.js";
import type { EngineInfo, FrameRequest, PredictRequest, StreamRequest } from "./protocol.js";
import { StreamState } from "./stream-state.js";
import type { FramePrediction, PredictedFace, PredictionResult } from "./types.js";

export interface Parts {
  readonly detector: FaceDetector;
  readonly classifier: Classifier;
  /** Loads what details with a mesh need; undefined where the folder has no files for them. */
  readonly loadDetails: (() => Promise<DetailKnowledge>) | undefined;
  readonly confidenceThreshold: number;
  readonly maxFaces: number;
  readonly mostPixels: number;
}

export class LoadedEngine {
  readonly #parts: Parts;
  readonly #pipeline: Pipeline;
  readonly #reader: PictureReader;
  readonly #streams = new Map<number, StreamState>();
  #details: Promise<DetailKnowledge> | undefined;
  #predictions = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#pipeline = new Pipeline(parts.detector, parts.classifier, parts.maxFaces);
    this.#reader = new PictureReader(parts.mostPixels);
  }

  info(threads: number, version: string): EngineInfo {
    const { classifier, loadDetails } = this.#parts;
    const { name, version: modelVersion, labels } = classifier.manifest;
    const details = loadDetails ? DETAILS : WITHOUT_MESH;
    return { model: { name, version: modelVersion }, labels, details, threads, version };
  }

  async predict(request: PredictRequest): Promise<PredictionResult> {
    const details = detailsOf(request.details);
    const knowledge = await this.#knowledge(details);
    const method = request.method === undefined ? undefined : methodOf(request.method);
    const timings = new Timings();
    const picture = await timings.time("decode", () => this.#reader.read(request.picture));
    const detected = await this.#pipeline.detect(picture, request, timings);
    const meshes = await this.#pipeline.findMeshes(picture, detected.faces, details, knowledge?.networks, timings);
    const predictions = await this.#pipeline.predict(picture, detected, meshes, timings, method);
    const faces = predictions.map((each) => this.#shown(each, details, request.language, knowledge));
    const { name, version } = this.#parts.classifier.manifest;
    return {
      success: true,
      ...faces[0],
      faces_detected: detected.count,
      ...(request.faces === "all" ? { faces } : {}),
      image: { width: picture.width, height: picture.height, format: request.format },
      inference_time_ms: rounded(timings.stages["inference"], 2),
      timings_ms: timingsOf(timings.stages),
      model: { name, version },
      request_id: `device-${++this.#predictions}`,
    };
  }

  openStream({ stream, faces, smoothing }: StreamRequest): void {
    this.#streams.set(stream, new StreamState(faces === "all", smoothing));
  }

  closeStream(stream: number): void {
    this.#streams.delete(stream);
  }

  async frame(request: FrameRequest): Promise<FramePrediction> {
    const { t, frame, skipped, language } = request;
    const state = this.#streams.get(request.stream);
    if (!state) throw new EngineError("internal_error", "This stream is closed.");
    const details = detailsOf(request.details);
    const knowledge = await this.#knowledge(details);
    const timings = new Timings();
    const picture = await timings.time("decode", () => this.#reader.read(request.picture));
    const detected = await this.#pipeline.detectFrame(picture, state.options(t), timings);
    const meshes = await this.#pipeline.findMeshes(picture, detected.faces, details, knowledge?.networks, timings);
    const predictions = await this.#pipeline.predict(picture, detected, meshes, timings);
    const shown = predictions.map((each) => this.#shown(each, details, language, knowledge));
    return {
      type: "prediction",
      frame,
      t: rounded(t, 3),
      faces: state.add(t, detected, predictions, shown, this.#parts.classifier.manifest.labels),
      faces_detected: detected.count,
      image: { width: picture.width, height: picture.height, format: "bmp" },
      skipped,
      timings_ms: timingsOf(timings.stages),
    };
  }

  #shown(
    prediction: FacePrediction,
    details: DetailNames,
    language: string,
    knowledge: DetailKnowledge | undefined,
  ): PredictedFace {
    const { classifier, confidenceThreshold } = this.#parts;
    const shown = predictedFace(prediction, classifier.manifest, confidenceThreshold);
    if (!details.size) return shown;
    const said = { labels: classifier.manifest.labels, uncertain: shown.is_uncertain };
    return { ...shown, ...faceDetails(prediction, said, details, language, knowledge) };
  }

  /** What the details need, loaded once, when they are first asked for. */
  async #knowledge(details: DetailNames): Promise<DetailKnowledge | undefined> {
    if (!needsMesh(details)) return undefined;
    const { loadDetails } = this.#parts;
    if (!loadDetails) {
      const advice = "Write it with scripts/export_edge_models.py --details.";
      throw new EngineError("details_unavailable", `This folder of models has no files for details. ${advice}`);
    }
    this.#details ??= loadDetails();
    try {
      return await this.#details;
    } catch (error) {
      // The next call tries again.
      this.#details = undefined;
      throw error;
    }
  }
}
