/** The engine as a page sees it. All work is done in a worker of its own. */

import { Connection } from "./connection.js";
import { EngineError } from "./errors.js";
import type { FramePrediction, PictureFormat, PredictionResult } from "./types.js";
import type { EngineInfo, SentPicture } from "./protocol.js";
import { EngineStream, type EngineStreamOptions } from "./stream.js";

/** What the engine reads: pixels, a file, or an element that shows a picture. It is copied, and stays the caller's. */
export type EnginePicture =
  | ImageBitmap
  | VideoFrame
  | ImageData
  | Blob
  | HTMLImageElement
  | HTMLVideoElement
  | HTMLCanvasElement
  | OffscreenCanvas;

export interface EngineOptions {
  /** The folder that `scripts/export_edge_models.py` wrote. */
  modelsUrl: string | URL;
  /** The name of a model in that folder; the first one without it. */
  model?: string;
  /** Where `worker.js` of this package is, for pages whose bundler does not place it. The runtime's files lie beside it. */
  workerUrl?: string | URL;
  /** Threads of the networks, where the page is cross-origin isolated; elsewhere there is one. */
  threads?: number;
  /** The lowest confidence that is not uncertain. The default is the service's, from `engine.json`. */
  confidenceThreshold?: number;
  /** Is told how many bytes of the models have come. */
  onProgress?: (loaded: number, total: number) => void;
  signal?: AbortSignal;
}

/** The names are those of the service's parameters. */
export interface EnginePredictOptions {
  faces?: "one" | "largest" | "all";
  on_no_face?: "error" | "center";
  /** Adds a heat map of which parts of each face speak for its label, as numbers. */
  explain?: "grid";
  /** How the heat map is made: `contrast`, which is the default, or `cam`. */
  explain_method?: "contrast" | "cam";
  /** What else to give of each face: names of the service's details, separated by commas or as a list. */
  details?: string | readonly string[];
  /** The language of the description: `en`, `de`, `fr` or `es`. */
  language?: string;
  signal?: AbortSignal;
}

const MOST_THREADS = 4;
const FORMATS: Readonly<Record<string, PictureFormat>> = {
  "image/jpeg": "jpeg",
  "image/png": "png",
  "image/webp": "webp",
};

/** Loads the models into a worker. Rejects with an `EngineError`. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  options.signal?.throwIfAborted();
  if (!isSupported()) {
    throw new EngineError(
      "unsupported_browser",
      "This browser cannot run the models: it has no WebAssembly with SIMD, or no module workers. Use a current one.",
    );
  }
  const connection = new Connection(options.workerUrl);
  const abort = () => connection.close(options.signal?.reason);
  options.signal?.addEventListener("abort", abort);
  try {
    const load = {
      modelsUrl: folderOf(options.modelsUrl),
      model: options.model,
      threads: threadsOf(options.threads),
      confidenceThreshold: options.confidenceThreshold,
    };
    return new Engine(connection, await connection.call("load", load, [], options.onProgress));
  } catch (error) {
    connection.close(error);
    throw error;
  } finally {
    options.signal?.removeEventListener("abort", abort);
  }
}

export class Engine {
  /** What is loaded. */
  readonly info: EngineInfo;
  readonly #connection: Connection;
  #streams = 0;

  /** @internal */
  constructor(connection: Connection, info: EngineInfo) {
    this.#connection = connection;
    this.info = info;
  }

  /** The prediction for a picture, in the form of the service's `POST /predict`. Pictures are read one at a time. */
  async predict(picture: EnginePicture, options: EnginePredictOptions = {}): Promise<PredictionResult> {
    const { faces = "one", on_no_face: onNoFace = "error", details = [], language = "en", signal } = options;
    const method = options.explain && (options.explain_method ?? "contrast");
    signal?.throwIfAborted();
    const [sent, own] = await sendable(picture);
    const format = (picture instanceof Blob && FORMATS[picture.type]) || "bmp";
    const request = { picture: sent, format, faces, onNoFace, method, details: [details].flat(), language };
    try {
      signal?.throwIfAborted();
      const result = this.#connection.call("predict", request, own);
      return signal ? untilAborted(result, signal) : result;
    } finally {
      // Closing does nothing to one that was sent: it is the worker's.
      for (const bitmap of own) bitmap.close();
    }
  }

  /**
   * Reads what a video shows until the stream is closed, and calls back with each frame that was read, in the form of the
   * service's stream. Faces are followed from frame to frame; the whole frame is searched every half second.
   */
  stream(
    video: HTMLVideoElement,
    onPrediction: (prediction: FramePrediction) => void,
    options: EngineStreamOptions = {},
  ): EngineStream {
    return new EngineStream(this.#connection, ++this.#streams, video, onPrediction, options);
  }

  /** Ends the worker and frees the memory. Calls that wait reject with `engine_closed`. */
  close(): void {
    this.#connection.close(new EngineError("engine_closed", "The engine is closed. Create another one."));
  }
}

/** The picture as it can be sent to a worker, and what of it may be handed over because it is our own copy. */
async function sendable(picture: EnginePicture): Promise<[SentPicture, ImageBitmap[]]> {
  if (picture instanceof Blob || picture instanceof ImageData || picture instanceof ImageBitmap) return [picture, []];
  if (typeof VideoFrame !== "undefined" && picture instanceof VideoFrame) return [picture, []];
  try {
    const bitmap = await createImageBitmap(picture);
    return [bitmap, [bitmap]];
  } catch (cause) {
    throw new EngineError("invalid_image", "This element shows no picture yet, or one that the page may not read.", {
      cause,
    });
  }
}

function untilAborted<Result>(result: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort);
    result.finally(() => signal.removeEventListener("abort", abort)).then(resolve, reject);
  });
}

function folderOf(url: string | URL): string {
  const absolute = addressOf(url);
  if (!absolute.pathname.endsWith("/")) absolute.pathname += "/";
  return absolute.href;
}

function addressOf(url: string | URL): URL {
  try {
    return new URL(url, globalThis.document?.baseURI ?? globalThis.location?.href);
  } catch (cause) {
    throw new EngineError("invalid_request", `modelsUrl is no address: ${url}`, { cause });
  }
}

function threadsOf(wanted: number | undefined): number {
  if (!globalThis.crossOriginIsolated) return 1;
  return Math.max(1, Math.min(wanted ?? MOST_THREADS, navigator.hardwareConcurrency || 1));
}

/** A WebAssembly module that uses SIMD. */
const SIMD = Uint8Array.of(
  0,
  97,
  115,
  109,
  1,
  0,
  0,
  0,
  1,
  5,
  1,
  96,
  0,
  1,
  123,
  3,
  2,
  1,
  0,
  10,
  10,
  1,
  8,
  0,
  65,
  0,
  253,
  15,
  253,
  98,
  11,
);

/** Whether this browser can run the engine. */
export function isSupported(): boolean {
  return (
    typeof Worker !== "undefined" &&
    typeof OffscreenCanvas !== "undefined" &&
    typeof createImageBitmap !== "undefined" &&
    typeof WebAssembly !== "undefined" &&
    WebAssembly.validate(SIMD)
  );
}
