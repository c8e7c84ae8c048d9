/** A model: crops in, calibrated probabilities out. Ported from `app/inference/{classifier,calibration,further}.py`. */

import { EngineError } from "./errors.js";
import { heatmapOf, type Heatmap, type HeatmapMethod } from "./heatmap.js";
import type { FurtherSpec, InputSpec, Manifest, OutputSpec } from "./manifest.js";
import type { Network } from "./network.js";
import { clip } from "./numbers.js";
import { greyOf } from "./pixels.js";

const SMALLEST_PROBABILITY = 1e-12;
/** Relative to the largest logit. */
const SMALLEST_LOGIT = -700;
const SMALLEST_ENTROPY = 0.15;
/** Most faces in one pass. */
const LARGEST_PASS = 8;

/** One number that a model gives beside its labels. */
export interface FurtherValue {
  readonly name: string;
  readonly value: number;
  readonly active?: boolean;
}

export interface ClassifiedFace {
  /** In the order of the model's labels. */
  readonly probabilities: number[];
  readonly further: FurtherValue[];
  /** Where one was asked for. */
  readonly heatmap?: Heatmap;
}

export class Classifier {
  readonly manifest: Manifest;
  readonly #network: Network;
  readonly #prepare: Preprocessor;

  constructor(manifest: Manifest, network: Network) {
    this.manifest = manifest;
    this.#network = network;
    this.#prepare = new Preprocessor(manifest.input);
  }

  /** The calibrated probabilities of each crop, which is packed RGB of the manifest's size. */
  async classify(crops: readonly Uint8Array[], method?: HeatmapMethod): Promise<ClassifiedFace[]> {
    const faces: ClassifiedFace[] = [];
    for (let start = 0; start < crops.length; start += LARGEST_PASS) {
      faces.push(...(await this.#pass(crops.slice(start, start + LARGEST_PASS), method)));
    }
    return faces;
  }

  async #pass(crops: readonly Uint8Array[], method: HeatmapMethod | undefined): Promise<ClassifiedFace[]> {
    const { output, outputs, labels } = this.manifest;
    const input = this.#prepare.tensor(crops);
    const explaining = method ? this.#explaining() : [];
    const names = [output.tensor, ...explaining, ...outputs.map((each) => each.tensor)];
    const [scores, ...rest] = await this.#network.runOne(input, names);
    const [features, weights] = rest;
    const further = rest.slice(explaining.length);
    return crops.map((_, face) => {
      const probabilities = calibrated(row(scores.values, face, labels.length), output);
      return {
        probabilities,
        further: outputs.flatMap((spec, i) => furtherValues(row(further[i].values, face, spec.names.length), spec)),
        ...(method ? { heatmap: heatmapOf(features, weights, face, probabilities, method) } : {}),
      };
    });
  }

  #explaining(): readonly [string, string] {
    const { explain, name } = this.manifest;
    if (explain) return [explain.features, explain.weights];
    throw new EngineError("invalid_request", `The model ${name} gives no heat maps in this engine.`);
  }
}

const row = (values: Float32Array, face: number, length: number): number[] =>
  Array.from(values.subarray(face * length, (face + 1) * length));

/** Turns crops into an input tensor. A pixel has only 256 values, so each channel is looked up in a table. */
class Preprocessor {
  readonly #spec: InputSpec;
  readonly #tables: (Uint8Array | Float32Array)[];

  constructor(spec: InputSpec) {
    this.#spec = spec;
    const of = (value: number | readonly number[], channel: number) =>
      typeof value === "number" ? value : value[channel];
    this.#tables = Array.from({ length: spec.channels === "gray" ? 1 : 3 }, (_, channel) => {
      const table = spec.dtype === "uint8" ? new Uint8Array(256) : new Float32Array(256);
      return table.map((_, value) => (value * spec.scale - of(spec.mean, channel)) / of(spec.std, channel));
    });
  }

  tensor(crops: readonly Uint8Array[]): readonly [Uint8Array | Float32Array, number[]] {
    const { width, height, layout, dtype } = this.#spec;
    const [plane, depth] = [width * height, this.#tables.length];
    const length = crops.length * depth * plane;
    const data = dtype === "uint8" ? new Uint8Array(length) : new Float32Array(length);
    crops.forEach((crop, face) => {
      this.#tables.forEach((table, channel) => {
        for (let pixel = 0; pixel < plane; pixel++) {
          const at = layout === "NCHW" ? channel * plane + pixel : pixel * depth + channel;
          data[face * depth * plane + at] = table[this.#value(crop, 3 * pixel, channel)];
        }
      });
    });
    const shape = layout === "NCHW" ? [crops.length, depth, height, width] : [crops.length, height, width, depth];
    return [data, shape];
  }

  #value(crop: Uint8Array, at: number, channel: number): number {
    const { channels } = this.#spec;
    if (channels === "gray") return greyOf(crop[at], crop[at + 1], crop[at + 2]);
    return crop[at + (channels === "bgr" ? 2 - channel : channel)];
  }
}

/** Probabilities from a network's raw scores. Uncalibrated probabilities become logits first. */
export function calibrated(scores: readonly number[], output: OutputSpec): number[] {
  const raw =
    output.kind === "logits" ? scores : scores.map((score) => Math.log(Math.max(score, SMALLEST_PROBABILITY)));
  const largest = Math.max(...raw);
  const logits = raw.map((logit) => Math.max(logit - largest, SMALLEST_LOGIT));
  const temperature = output.temperature * entropy(logits) ** output.entropy_exponent;
  const odds = logits.map((logit) => Math.exp(logit / temperature));
  const total = odds.reduce((sum, each) => sum + each, 0);
  return odds.map((each) => Math.fround(each / total));
}

/** The normalised entropy: 1 where all labels are equally likely. */
function entropy(logits: readonly number[]): number {
  const odds = logits.map(Math.exp);
  const total = odds.reduce((sum, each) => sum + each, 0);
  const mean = odds.reduce((sum, each, i) => sum + each * logits[i], 0) / total;
  return Math.max((Math.log(total) - mean) / Math.log(logits.length), SMALLEST_ENTROPY);
}

function furtherValues(raw: readonly number[], spec: FurtherSpec): FurtherValue[] {
  return spec.names.map((name, i) => {
    if (spec.kind === "regression") return { name, value: clip(raw[i], ...spec.range) };
    const probability = spec.values === "logits" ? 1 / (1 + Math.exp(-clip(raw[i], -60, 60))) : raw[i];
    return { name, value: clip(probability, 0, 1), active: probability >= spec.thresholds[i] };
  });
}
