/** One picture: detect → crop → classify, every stage timed. Ported from `app/pipeline.py`. */

import type { Classifier, FurtherValue } from "./classifier.js";
import { extract, regionOf } from "./crop.js";
import { EngineError } from "./errors.js";
import { assumed, find, type FaceDetector } from "./face-search.js";
import type { Face } from "./geometry.js";
import type { Pixels } from "./pixels.js";
import { assess } from "./quality.js";
import type { WarningCode } from "./types.js";

export interface DetectOptions {
  readonly faces: "one" | "largest" | "all";
  readonly onNoFace: "error" | "center";
}

/** What the model says of one face. */
export interface FacePrediction {
  readonly face: Face;
  readonly probabilities: readonly number[];
  readonly further: readonly FurtherValue[];
  readonly warnings: readonly WarningCode[];
}

export interface Detected {
  /** The wanted faces, largest first. */
  readonly faces: readonly Face[];
  /** Faces in the picture, wanted or not. */
  readonly count: number;
}

/** Milliseconds by stage, in the order in which the stages first ran. */
export class Timings {
  readonly stages: Record<string, number> = {};

  async time<T>(name: string, work: () => T | Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      return await work();
    } finally {
      this.stages[name] = (this.stages[name] ?? 0) + performance.now() - started;
    }
  }
}

export class Pipeline {
  readonly #detector: FaceDetector;
  readonly #model: Classifier;
  readonly #maxFaces: number;

  constructor(detector: FaceDetector, model: Classifier, maxFaces: number) {
    this.#detector = detector;
    this.#model = model;
    this.#maxFaces = maxFaces;
  }

  /** The wanted faces of a picture. */
  async detect(picture: Pixels, options: DetectOptions, timings: Timings): Promise<Detected> {
    const found = await timings.time("detect", () => find(this.#detector, picture, options.faces === "all"));
    return { faces: this.#wanted(found, picture, options), count: found.length };
  }

  /** Crops and classifies the faces of a picture. */
  async predict(picture: Pixels, detected: Detected, timings: Timings): Promise<FacePrediction[]> {
    const { input, face: framing } = this.#model.manifest;
    const [crops, warnings] = await timings.time(
      "prepare",
      () =>
        [
          detected.faces.map((face) => extract(picture, regionOf(face, framing), input.width, input.height, "reflect")),
          detected.faces.map((face) => assess(picture, face, detected.count)),
        ] as const,
    );
    const classified = await timings.time("inference", () => this.#model.classify(crops));
    return detected.faces.map((face, i) => ({ face, ...classified[i], warnings: warnings[i] }));
  }

  #wanted(found: readonly Face[], picture: Pixels, { faces, onNoFace }: DetectOptions): readonly Face[] {
    if (!found.length) {
      if (onNoFace === "center") return [assumed(picture)];
      throw new EngineError(
        "no_face_detected",
        "No face found in the image. Use a well-lit photo in which one face looks at the camera.",
      );
    }
    if (faces === "one" && found.length > 1) {
      throw new EngineError(
        "multiple_faces",
        "There are several faces in the image. Crop it to one, or ask for faces=largest or faces=all.",
      );
    }
    return found.slice(0, faces === "all" ? this.#maxFaces : 1);
  }
}
