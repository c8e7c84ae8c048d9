/** Which parts of a crop speak for its label. Ported from `app/inference/explain.py`. */

import { EngineError } from "./errors.js";
import type { Output } from "./network.js";

/** `cam` is a class-activation map. `contrast` is that map minus those of the other labels, by their probabilities. */
export type HeatmapMethod = "contrast" | "cam";

export interface Heatmap {
  readonly method: HeatmapMethod;
  /** The label's place. */
  readonly label: number;
  /** Rows of values from 0 to 1. */
  readonly grid: number[][];
}

export function methodOf(name: string): HeatmapMethod {
  if (name === "contrast" || name === "cam") return name;
  throw new EngineError("invalid_request", `There is no method ${name} in this engine. It has: contrast, cam.`);
}

/** The map of one face, from the features of all faces and the weights of the layer behind them. */
export function heatmapOf(
  features: Output,
  weights: Output,
  face: number,
  probabilities: readonly number[],
  method: HeatmapMethod,
): Heatmap {
  const [, channels, rows, columns] = features.shape;
  const label = probabilities.indexOf(Math.max(...probabilities));
  const shares = probabilities.map((probability, i) => (i === label ? 0 : probability));
  const others = shares.reduce((sum, share) => sum + share, 0);
  const weight = weightsOf(weights, probabilities.length);
  const own = Array.from({ length: channels }, (_, channel) => {
    if (method === "cam" || !others) return weight(label, channel);
    const rivals = shares.reduce((sum, share, i) => sum + share * weight(i, channel), 0);
    return weight(label, channel) - rivals / others;
  });
  const cells = Array.from({ length: rows * columns }, (_, cell) => {
    const at = (channel: number) => features.values[(face * channels + channel) * rows * columns + cell];
    return Math.max(0, own.reduce((sum, value, channel) => sum + value * at(channel), 0));
  });
  const peak = Math.max(...cells) || 1;
  const row = (i: number) => cells.slice(i * columns, (i + 1) * columns).map((value) => value / peak);
  return { method, label, grid: Array.from({ length: rows }, (_, i) => row(i)) };
}

/** A 1×1 convolution has its labels first, as the transposed product has; a plain matrix product has them last. */
function weightsOf({ values, shape }: Output, labels: number): (label: number, channel: number) => number {
  const [first, second] = shape;
  if (first === labels) return (label, channel) => values[label * second + channel];
  return (label, channel) => values[channel * second + label];
}
