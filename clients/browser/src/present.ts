/** Results in the form of the service's. Ported from `app/api/results.py`. */

import type { FurtherValue } from "./classifier.js";
import { cornersOf } from "./crop.js";
import { LANDMARK_NAMES, type Face } from "./geometry.js";
import type { Manifest } from "./manifest.js";
import { rint, rounded } from "./numbers.js";
import type { FacePrediction } from "./pipeline.js";
import { MESSAGES } from "./quality.js";
import type { components } from "./results.js";
import type { PredictedFace } from "./types.js";

type Schemas = components["schemas"];

export function predictedFace(prediction: FacePrediction, manifest: Manifest, threshold: number): PredictedFace {
  const { labels } = manifest;
  const probabilities = prediction.probabilities.map((probability) => rounded(probability, 4));
  const best = prediction.probabilities.indexOf(Math.max(...prediction.probabilities));
  const confidence = probabilities[best];
  const named = labels.map((label, i) => [label, probabilities[i]] as const);
  return {
    emotion: labels[best],
    confidence,
    is_uncertain: confidence < threshold,
    probabilities: Object.fromEntries(named),
    ...(prediction.further.length ? { outputs: Object.fromEntries(prediction.further.map(output)) } : {}),
    ...(confidence < threshold ? { message: uncertainMessage(named) } : {}),
    face: location(prediction.face),
    ...explanation(prediction, labels),
    warnings: prediction.warnings.map((code) => ({ code, message: MESSAGES[code] })),
  };
}

function explanation(
  { heatmap, region }: FacePrediction,
  labels: readonly string[],
): { explanation?: Schemas["GridExplanation"] } {
  if (!heatmap) return {};
  const { method, label, grid } = heatmap;
  const corners = cornersOf(region).map(([x, y]) => [rounded(x, 1), rounded(y, 1)] as [number, number]);
  const rows = grid.map((row) => row.map((value) => rounded(value, 3)));
  return { explanation: { method, label: labels[label], corners, grid: rows } };
}

function uncertainMessage(named: readonly (readonly [string, number])[]): string {
  const [first, second] = [...named].sort((one, other) => other[1] - one[1]);
  const likeliest = [first, second].map(([label, probability]) => `${label} (${probability.toFixed(2)})`).join(" and ");
  return `The prediction is uncertain; the likeliest are ${likeliest}.`;
}

function output({ name, value, active }: FurtherValue): [string, Schemas["OutputValue"]] {
  return [name, active === undefined ? { value: rounded(value, 4) } : { value: rounded(value, 4), active }];
}

function location({ box, score, landmarks }: Face): Schemas["FaceLocation"] {
  const points = landmarks.map(([x, y], i) => [LANDMARK_NAMES[i], [rint(x), rint(y)]] as [string, [number, number]]);
  return {
    box: { x: rint(box.x), y: rint(box.y), width: rint(box.width), height: rint(box.height) },
    score: rounded(score, 4),
    landmarks: Object.fromEntries(points),
  };
}

export function timingsOf(stages: Readonly<Record<string, number>>): Record<string, number> {
  const total = Object.values(stages).reduce((sum, each) => sum + each, 0);
  return Object.fromEntries(
    [...Object.entries(stages), ["total", total] as const].map(([name, ms]) => [name, rounded(ms, 2)]),
  );
}
