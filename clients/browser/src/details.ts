/** The details of a face, as results have them. Ported from `app/api/details.py` and `app/expression/`. */

import { actionUnits, BLENDSHAPES, type ActionUnit, type UnitMethods } from "./action-units.js";
import { describe, type UnitKnowledge, type Words } from "./description.js";
import { EngineError } from "./errors.js";
import type { FaceMesh, MeshNetworks } from "./mesh.js";
import { rounded } from "./numbers.js";
import type { FacePrediction } from "./pipeline.js";
import type { components } from "./results.js";

type Schemas = components["schemas"];
type FaceDetails = Pick<Schemas["PredictedFace"], Detail>;

export const DETAILS = ["action_units", "blendshapes", "head_pose", "mesh", "emotion_vector", "description"] as const;
export type Detail = (typeof DETAILS)[number];
export type DetailNames = ReadonlySet<Detail>;

/** Details that need no mesh. */
export const WITHOUT_MESH: readonly Detail[] = ["emotion_vector"];
const WITH_BLENDSHAPES: readonly Detail[] = ["action_units", "blendshapes", "description"];

export const needsMesh = (details: DetailNames): boolean => [...details].some((name) => !WITHOUT_MESH.includes(name));
export const needsBlendshapes = (details: DetailNames): boolean => WITH_BLENDSHAPES.some((name) => details.has(name));

const DECIMALS = { unit: 3, blendshape: 4, angle: 1, point: 1 };

/** The labels that models use for each basic emotion. */
const EMOTIONS = {
  happiness: ["happy", "happiness"],
  sadness: ["sad", "sadness"],
  anger: ["angry", "anger"],
  fear: ["fear", "fearful"],
  surprise: ["surprise", "surprised"],
  disgust: ["disgust", "disgusted"],
} as const;

/** The details that are asked for. */
export function detailsOf(names: readonly string[]): DetailNames {
  const details = new Set<Detail>();
  for (const name of names.flatMap((each) => each.split(",")).map((each) => each.trim())) {
    const known = DETAILS.find((each) => each === name);
    if (!known) throw new EngineError("invalid_request", `There is no detail ${name}. Known: ${DETAILS.join(", ")}.`);
    details.add(known);
  }
  return details;
}

/** What a prediction says, for the details that follow from it. */
export interface Said {
  readonly labels: readonly string[];
  readonly uncertain: boolean;
}

/** The networks and tables behind details that need a mesh. */
export class DetailKnowledge {
  readonly networks: MeshNetworks;
  readonly #units: UnitKnowledge;
  readonly #words: Readonly<Record<string, Words>>;

  constructor(networks: MeshNetworks, units: UnitKnowledge, words: Readonly<Record<string, Words>>) {
    this.networks = networks;
    this.#units = units;
    this.#words = words;
  }

  units(mesh: FaceMesh | null): Map<string, ActionUnit> | null {
    return mesh?.blendshapes ? actionUnits(mesh, this.networks, this.#units.methods) : null;
  }

  description(prediction: FacePrediction, said: Said, units: Map<string, ActionUnit> | null, language: string): string {
    const { probabilities, warnings } = prediction;
    const words = this.#words[language] ?? this.#words["en"];
    const shares = said.labels.map((label, i) => [label, probabilities[i]] as const);
    return describe({ probabilities: shares, uncertain: said.uncertain, warnings, units }, words, this.#units);
  }
}

/** All details of a face that are asked for; null where no mesh can be seen. */
export function faceDetails(
  prediction: FacePrediction,
  said: Said,
  details: DetailNames,
  language: string,
  knowledge: DetailKnowledge | undefined,
): FaceDetails {
  const result: FaceDetails = {};
  const mesh = prediction.mesh ?? null;
  const units = knowledge && needsBlendshapes(details) ? knowledge.units(mesh) : null;
  if (details.has("action_units"))
    result.action_units = units && Object.fromEntries([...units].map(([code, unit]) => [code, unitEntry(unit)]));
  if (details.has("blendshapes")) result.blendshapes = blendshapesOf(mesh);
  if (details.has("head_pose")) result.head_pose = poseOf(mesh);
  if (details.has("mesh"))
    result.mesh = mesh && mesh.points.map((point) => point.map((value) => rounded(value, DECIMALS.point)));
  if (details.has("emotion_vector")) result.emotion_vector = emotionVector(said.labels, prediction.probabilities);
  if (knowledge && details.has("description"))
    result.description = knowledge.description(prediction, said, units, language);
  return result;
}

export function unitEntry(unit: ActionUnit): Schemas["ActionUnitEntry"] {
  const entry = { name: unit.name, intensity: rounded(unit.intensity, DECIMALS.unit), active: unit.active };
  if (unit.left === undefined || unit.right === undefined) return entry;
  return { ...entry, left: rounded(unit.left, DECIMALS.unit), right: rounded(unit.right, DECIMALS.unit) };
}

function blendshapesOf(mesh: FaceMesh | null): Record<string, number> | null {
  const values = mesh?.blendshapes;
  return values
    ? Object.fromEntries(BLENDSHAPES.map((name, i) => [name, rounded(values[i], DECIMALS.blendshape)]))
    : null;
}

function poseOf(mesh: FaceMesh | null): Schemas["HeadPoseEntry"] | null {
  if (!mesh) return null;
  const { yaw, pitch, roll } = mesh.pose;
  const [y, p, r] = [yaw, pitch, roll].map((angle) => rounded(angle, DECIMALS.angle));
  return { yaw: y, pitch: p, roll: r };
}

/** Six of the model's probabilities, not renormalised; null for an emotion that it has no label for. */
function emotionVector(labels: readonly string[], probabilities: readonly number[]): Schemas["EmotionVector"] {
  const of = (known: readonly string[]) => {
    const index = labels.findIndex((label) => known.includes(label.toLowerCase()));
    return index < 0 ? null : rounded(probabilities[index], 4);
  };
  const entries = Object.entries(EMOTIONS).map(([emotion, known]) => [emotion, of(known)]);
  return Object.fromEntries(entries) as Schemas["EmotionVector"];
}
