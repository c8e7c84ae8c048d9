/** The parts of a model's manifest that a prediction needs, and `engine.json`. */

import type { Framing } from "./crop.js";

type PerChannel = number | readonly number[];

export interface InputSpec {
  readonly width: number;
  readonly height: number;
  readonly channels: "gray" | "rgb" | "bgr";
  readonly layout: "NCHW" | "NHWC";
  readonly dtype: "float32" | "uint8";
  readonly scale: number;
  readonly mean: PerChannel;
  readonly std: PerChannel;
}

export interface OutputSpec {
  readonly tensor: string;
  readonly kind: "logits" | "probabilities";
  readonly temperature: number;
  readonly entropy_exponent: number;
}

/** A further output: numbers with a range, or labels that do not exclude one another. */
export type FurtherSpec = { readonly tensor: string; readonly names: readonly string[] } & (
  | { readonly kind: "regression"; readonly range: readonly [number, number] }
  | { readonly kind: "multilabel"; readonly values: "logits" | "probabilities"; readonly thresholds: readonly number[] }
);

/** The source of heat maps: pooled features that one linear layer turns into logits, and that layer's weights. */
export interface ExplainSpec {
  readonly features: string;
  readonly weights: string;
}

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly labels: readonly string[];
  readonly input: InputSpec;
  readonly face: Framing;
  readonly output: OutputSpec;
  readonly outputs: readonly FurtherSpec[];
  readonly explain: ExplainSpec | null;
}
