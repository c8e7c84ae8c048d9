/** Reads what a video shows, frame by frame. The newest frame wins: what comes while one is read is passed over. */

import { EngineError } from "./errors.js";
import type { Connection } from "./connection.js";
import type { SentPicture } from "./protocol.js";
import type { FramePrediction } from "./types.js";

/** The names are those of the service's stream. */
export interface EngineStreamOptions {
  faces?: "largest" | "all";
  /** What else to give of each face: names of the service's details, separated by commas or as a list. */
  details?: string | readonly string[];
  /** The language of the description: `en`, `de`, `fr` or `es`. */
  language?: string;
  /** Time constant of `smoothed` in seconds; 0 turns it off. The default is 0.5. */
  smoothing?: number;
  /** Is told of a frame that could not be read. The stream goes on, unless the engine is closed. */
  onError?: (error: EngineError) => void;
  /** Closes the stream when it aborts. */
  signal?: AbortSignal;
}

/** Waits for the next frame of a video. */
type NextFrame = (video: HTMLVideoElement, then: () => void) => () => void;

const nextFrame: NextFrame = (video, then) => {
  if ("requestVideoFrameCallback" in video) {
    const handle = video.requestVideoFrameCallback(then);
    return () => video.cancelVideoFrameCallback(handle);
  }
  const handle = requestAnimationFrame(then);
  return () => cancelAnimationFrame(handle);
};

export class EngineStream {
  readonly #connection: Connection;
  readonly #id: number;
  readonly #video: HTMLVideoElement;
  readonly #onPrediction: (prediction: FramePrediction) => void;
  readonly #options: EngineStreamOptions;
  readonly #started = performance.now();
  readonly #abort = () => this.close();
  #cancel = () => {};
  #closed = false;
  #reading = false;
  #frames = 0;
  #lastTold = -1;

  /** @internal */
  constructor(
    connection: Connection,
    id: number,
    video: HTMLVideoElement,
    onPrediction: (prediction: FramePrediction) => void,
    options: EngineStreamOptions,
  ) {
    this.#connection = connection;
    this.#id = id;
    this.#video = video;
    this.#onPrediction = onPrediction;
    this.#options = options;
    const { faces = "largest", smoothing = 0.5, signal } = options;
    connection.call("openStream", { stream: id, faces, smoothing }).catch((error: EngineError) => this.#fail(error));
    signal?.addEventListener("abort", this.#abort);
    if (signal?.aborted) this.close();
    this.#wait();
  }

  /** Ends the stream. No prediction comes after it. The video is left as it is. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancel();
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#connection.call("closeStream", this.#id).catch(() => {});
  }

  #wait(): void {
    if (!this.#closed) this.#cancel = nextFrame(this.#video, () => void this.#take());
  }

  async #take(): Promise<void> {
    this.#wait();
    const t = (performance.now() - this.#started) / 1000;
    const frame = this.#frames++;
    if (this.#reading) return;
    this.#reading = true;
    try {
      const prediction = await this.#read(frame, t);
      if (prediction && !this.#closed) this.#onPrediction(prediction);
    } catch (error) {
      if (error instanceof EngineError) this.#fail(error);
      else throw error;
    } finally {
      this.#reading = false;
    }
  }

  async #read(frame: number, t: number): Promise<FramePrediction | undefined> {
    const picture = await shownBy(this.#video);
    if (!picture || this.#closed) {
      picture?.close();
      return undefined;
    }
    const { details = [], language = "en" } = this.#options;
    const skipped = frame - this.#lastTold - 1;
    this.#lastTold = frame;
    const request = {
      stream: this.#id,
      picture: picture as SentPicture,
      t,
      frame,
      skipped,
      details: [details].flat(),
      language,
    };
    return this.#connection.call("frame", request, [picture]);
  }

  #fail(error: EngineError): void {
    if (this.#closed) return;
    if (error.code === "engine_closed" || error.code === "worker_failed") this.close();
    this.#options.onError?.(error);
  }
}

/** The frame that a video shows, or undefined before the first one. */
async function shownBy(video: HTMLVideoElement): Promise<VideoFrame | ImageBitmap | undefined> {
  if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || !video.videoWidth) return undefined;
  try {
    return typeof VideoFrame === "undefined" ? await createImageBitmap(video) : new VideoFrame(video);
  } catch (cause) {
    throw new EngineError("invalid_image", "The page may not read this video: it comes from another origin.", {
      cause,
    });
  }
}
