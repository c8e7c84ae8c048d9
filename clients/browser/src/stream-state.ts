/** What a stream remembers from frame to frame. Ported from `app/api/streaming.py`. */

import { Blinks } from "./action-units.js";
import { unitEntry } from "./details.js";
import type { Face } from "./geometry.js";
import { rounded } from "./numbers.js";
import type { Detected, FacePrediction, FrameOptions } from "./pipeline.js";
import { Smoother, Tracker } from "./tracks.js";
import type { PredictedFace, TrackedFace } from "./types.js";

/** Seconds after which the whole frame is searched again. */
const WHOLE_FRAME_SECONDS = 0.5;

export class StreamState {
  readonly #smoothing: number;
  readonly #tracker = new Tracker();
  #smoothers = new Map<number, Smoother>();
  #blinks = new Map<number, Blinks>();
  #wholeFrameAt: number | undefined;
  #options: FrameOptions;

  constructor(everyFace: boolean, smoothing: number) {
    this.#smoothing = smoothing;
    this.#options = { everyFace, wholeFrame: true, known: [], knownCount: 0 };
  }

  /** How the frame at `t` is searched: whole every half second and while a track is lost, else where the faces were. */
  options(t: number): FrameOptions {
    const lost = this.#tracker.tracks.length > this.#options.known.length;
    const due = this.#wholeFrameAt === undefined || t - this.#wholeFrameAt >= WHOLE_FRAME_SECONDS;
    return { ...this.#options, wholeFrame: lost || due };
  }

  /** The faces of the frame at `t` as a stream shows them. */
  add(
    t: number,
    detected: Detected,
    predictions: readonly FacePrediction[],
    shown: readonly PredictedFace[],
    labels: readonly string[],
  ): TrackedFace[] {
    this.#took(t, detected);
    const tracks = this.#tracker.update(t, detected.faces);
    const live = new Set(this.#tracker.tracks.map((track) => track.number));
    this.#smoothers = new Map([...this.#smoothers].filter(([number]) => live.has(number)));
    this.#blinks = new Map([...this.#blinks].filter(([number]) => live.has(number)));
    return shown.map((face, i) => {
      const smoothed = this.#smoothed(tracks[i], t, predictions[i].probabilities, labels);
      return this.#withBlink({ track: tracks[i], ...face, smoothed }, t);
    });
  }

  #took(t: number, { faces, count, wholeFrame }: Detected): void {
    if (wholeFrame) this.#wholeFrameAt = t;
    this.#options = { ...this.#options, known: faces.map((face: Face) => face.box), knownCount: count };
  }

  #smoothed(
    track: number,
    t: number,
    probabilities: readonly number[],
    labels: readonly string[],
  ): TrackedFace["smoothed"] {
    if (!this.#smoothing) return null;
    const smoother = this.#smoothers.get(track) ?? new Smoother(this.#smoothing);
    this.#smoothers.set(track, smoother);
    const means = smoother.add(t, probabilities);
    return Object.fromEntries(labels.map((label, i) => [label, rounded(means[i], 4)]));
  }

  /** Adds the unit that only frames in a row can show. */
  #withBlink(face: TrackedFace, t: number): TrackedFace {
    const closed = face.action_units?.["AU43"];
    if (!closed) return face;
    const blinks = this.#blinks.get(face.track) ?? new Blinks();
    this.#blinks.set(face.track, blinks);
    return { ...face, action_units: { ...face.action_units, AU45: unitEntry(blinks.add(t, closed)) } };
  }
}
