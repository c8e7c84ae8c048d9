/** One picture: detect → crop → classify, every stage timed. Ported from `app/pipeline.py`. */

import type { Classifier, FurtherValue } from "./classifier.js";
import { extract, regionOf, type CropRegion } from "./crop.js";
import { needsBlendshapes, needsMesh, type DetailNames } from "./details.js";
import { EngineError } from "./errors.js";
import { assumed, find, findAgain, findNear, SMALL_FACE, type FaceDetector } from "./face-search.js";
import type { Box, Face } from "./geometry.js";
import type { Heatmap, HeatmapMethod } from "./heatmap.js";
import type { FaceMesh, MeshNetworks } from "./mesh.js";
import type { Pixels } from "./pixels.js";
import { assess } from "./quality.js";
import type { WarningCode } from "./types.js";

const MOST_CLOSE_UPS = 4;

export interface DetectOptions {
  readonly faces: "one" | "largest" | "all";
  readonly onNoFace: "error" | "center";
}

/** Which faces of a frame are wanted, and how they are searched for. */
export interface FrameOptions {
  readonly everyFace: boolean;
  /** Search the whole frame. Otherwise only where faces were, or for large faces if there were none. */
  readonly wholeFrame: boolean;
  /** Where the wanted faces were in the frame before, and how many faces there were. */
  readonly known: readonly Box[];
  readonly knownCount: number;
}

export interface Detected {
  /** The wanted faces, largest first. */
  readonly faces: readonly Face[];
  /** Faces in the picture, wanted or not. */
  readonly count: number;
  /** Whether the whole picture was searched. */
  readonly wholeFrame: boolean;
}

/** What the model says of one face. */
export interface FacePrediction {
  readonly face: Face;
  readonly probabilities: readonly number[];
  readonly further: readonly FurtherValue[];
  readonly warnings: readonly WarningCode[];
  /** Where the crop lies in the picture. */
  readonly region: CropRegion;
  readonly heatmap?: Heatmap;
  /** Null where none can be relied on, undefined where none was asked for. */
  readonly mesh?: FaceMesh | null;
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
    return { faces: this.#wanted(found, picture, options), count: found.length, wholeFrame: true };
  }

  /** The wanted faces of a frame; there may be none. */
  async detectFrame(picture: Pixels, options: FrameOptions, timings: Timings): Promise<Detected> {
    const [found, wholeFrame] = await timings.time("detect", () => this.#search(picture, options));
    const faces = found.slice(0, options.everyFace ? this.#maxFaces : 1);
    return { faces, count: wholeFrame ? found.length : Math.max(options.knownCount, found.length), wholeFrame };
  }

  async #search(picture: Pixels, options: FrameOptions): Promise<[Face[], boolean]> {
    const { wholeFrame, known, everyFace } = options;
    if (!wholeFrame && !known.length) return [await findNear(this.#detector, picture), false];
    if (!wholeFrame && pays(known, picture, everyFace)) {
      const again = await findAgain(this.#detector, picture, known);
      if (again) return [again, false];
    }
    const found = await find(this.#detector, picture, everyFace);
    const boxes = found.map((face) => face.box);
    if (!pays(boxes, picture, everyFace)) return [found, true];
    // Close-ups place a face a little otherwise, and it should not jump from frame to frame.
    const again = await findAgain(this.#detector, picture, boxes);
    return [again?.length ? again : found, true];
  }

  /** The meshes of the faces, where details need them. */
  async findMeshes(
    picture: Pixels,
    faces: readonly Face[],
    details: DetailNames,
    networks: MeshNetworks | undefined,
    timings: Timings,
  ): Promise<(FaceMesh | null)[] | undefined> {
    if (!networks || !needsMesh(details)) return undefined;
    const meshes: (FaceMesh | null)[] = [];
    await timings.time("mesh", async () => {
      for (const face of faces) meshes.push(await networks.run(picture, face, needsBlendshapes(details)));
    });
    return meshes;
  }

  /** Crops and classifies the faces of a picture. */
  async predict(
    picture: Pixels,
    { faces, count }: Detected,
    meshes: readonly (FaceMesh | null)[] | undefined,
    timings: Timings,
    method?: HeatmapMethod,
  ): Promise<FacePrediction[]> {
    const { input, face: framing } = this.#model.manifest;
    const regions = faces.map((face) => regionOf(face, framing));
    const crops: Uint8Array[] = [];
    const warnings: WarningCode[][] = [];
    await timings.time("prepare", () => {
      faces.forEach((face, i) => {
        crops.push(extract(picture, regions[i], input.width, input.height, "reflect"));
        warnings.push(assess(picture, face, count, meshes && (meshes[i]?.pose ?? null)));
      });
    });
    const classified = await timings.time("inference", () => this.#model.classify(crops, method));
    return faces.map((face, i) => ({
      face,
      ...classified[i],
      warnings: warnings[i],
      region: regions[i],
      ...(meshes ? { mesh: meshes[i] } : {}),
    }));
  }

  #wanted(found: readonly Face[], picture: Pixels, { faces, onNoFace }: DetectOptions): readonly Face[] {
    if (!found.length) {
      if (onNoFace === "center") return [assumed(picture)];
      const advice = "Use a well-lit photo in which one face looks at the camera.";
      throw new EngineError("no_face_detected", `No face found in the image. ${advice}`);
    }
    if (faces === "one" && found.length > 1) {
      const advice = "Crop it to one, or ask for faces=largest or faces=all.";
      throw new EngineError("multiple_faces", `There are several faces in the image. ${advice}`);
    }
    return found.slice(0, faces === "all" ? this.#maxFaces : 1);
  }
}

/** Whether a close-up of each of these faces takes less than a search of the whole frame. */
function pays(boxes: readonly Box[], picture: Pixels, everyFace: boolean): boolean {
  const wanted = everyFace ? boxes : boxes.slice(0, 1);
  const small = SMALL_FACE * Math.max(picture.width, picture.height);
  return wanted.length > 0 && wanted.length <= MOST_CLOSE_UPS && (everyFace || wanted[0].width < small);
}
