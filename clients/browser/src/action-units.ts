/** Action units from a mesh and its blendshapes. Ported from `app/expression/{action_units,face_shape,blinks}.py`. */

import type { FaceMesh, MeshNetworks, Point3 } from "./mesh.js";
import { clip } from "./numbers.js";

export const BLENDSHAPES = [
  "_neutral",
  ...["browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"],
  ...["cheekPuff", "cheekSquintLeft", "cheekSquintRight"],
  ...["eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight"],
  ...["eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight"],
  ...["eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight"],
  ...["jawForward", "jawLeft", "jawOpen", "jawRight"],
  ...["mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel"],
  ...["mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker"],
  ...["mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"],
  ...["mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight"],
  ...["mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight"],
] as const;

/** The points whose middle the others are measured from. */
const ORIGINS: Readonly<Record<string, readonly number[]>> = { eyes: [33, 133, 263, 362], nose: [2, 98, 327] };
/** The least that a blendshape counts as in a logit. */
const LEAST = 1e-7;

export interface ActionUnit {
  readonly name: string;
  readonly intensity: number;
  readonly active: boolean;
  /** The person's own sides, where the unit has sides. */
  readonly left?: number;
  readonly right?: number;
}

/** How a unit is computed: a row of `action_units.json`. */
export interface UnitMethod {
  readonly name: string;
  readonly sided: boolean;
  readonly origin: string;
  /** On the left, on the right, and the weights of x, y and z. */
  readonly points: readonly (readonly [number, number, number, number, number])[];
  readonly logits: Readonly<Record<string, number>>;
  readonly values: Readonly<Record<string, number>>;
  readonly bias: number;
  readonly threshold: number;
  readonly experimental: boolean;
}

export type UnitMethods = Readonly<Record<string, UnitMethod>>;

/** What both sides of a face have: the person's left, then their right. */
type Pair = readonly [left: number, right: number];

/** The units of a mesh that has blendshapes, in order of number. */
export function actionUnits(mesh: FaceMesh, networks: MeshNetworks, methods: UnitMethods): Map<string, ActionUnit> {
  const points = networks.frontal(mesh.upright);
  const values = pairs(mesh.blendshapes!);
  return new Map(Object.entries(methods).map(([code, method]) => [code, unitOf(method, points, values)]));
}

function unitOf(method: UnitMethod, points: readonly Point3[], values: ReadonlyMap<string, Pair>): ActionUnit {
  const origin = meanOf((ORIGINS[method.origin] ?? []).map((index) => points[index]));
  const side = (right: 0 | 1): number => {
    let sum = method.bias;
    for (const row of method.points) {
      const [dx, dy, dz] = points[row[right]].map((value, axis) => value - origin[axis]);
      sum += (right ? -1 : 1) * row[2] * dx + row[3] * dy + row[4] * dz;
    }
    for (const [name, weight] of Object.entries(method.logits)) sum += weight * logit(values.get(name)![right]);
    for (const [name, weight] of Object.entries(method.values)) sum += weight * values.get(name)![right];
    return clip(sum, 0, 1);
  };
  const [left, right] = [side(0), side(1)];
  const intensity = (left + right) / 2;
  const unit = { name: method.name, intensity, active: intensity > method.threshold };
  return method.sided ? { ...unit, left, right } : unit;
}

const meanOf = (points: readonly Point3[]): number[] =>
  [0, 1, 2].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / Math.max(points.length, 1));

function logit(value: number): number {
  const within = clip(value, LEAST, 1 - LEAST);
  return Math.log(within / (1 - within));
}

/** Blendshapes of both sides under their common name, and those of the middle with the same value twice. */
function pairs(blendshapes: Float32Array): Map<string, Pair> {
  const values = new Map<string, number>(BLENDSHAPES.map((name, i) => [name, blendshapes[i]]));
  const paired = new Map<string, Pair>();
  for (const [name, value] of values) {
    const common = name.replace(/Left$/, "");
    const other = values.get(`${common}Right`);
    if (common !== name && other !== undefined) paired.set(common, [value, other]);
    else if (!name.endsWith("Right")) paired.set(name, [value, value]);
  }
  return paired;
}

const LONGEST_BLINK = 0.5;
/** Seconds between two frames in which a blink may pass unseen. */
const LONGEST_GAP = 0.4;

/** Follows the eyes of one face through frames. */
export class Blinks {
  #last: number | undefined;
  #closedSince: number | undefined;
  #peak = 0;

  /** The blink that ends with the frame at `t` seconds, given how far its eyes are closed (AU43). */
  add(t: number, closed: Pick<ActionUnit, "active" | "intensity">): ActionUnit {
    const known = this.#last !== undefined && t - this.#last <= LONGEST_GAP;
    if (!known) this.#closedSince = undefined;
    this.#last = t;
    if (closed.active) {
      if (this.#closedSince === undefined) {
        // Eyes that are closed in the first frame may have been closed for long.
        this.#closedSince = known ? t : -Infinity;
        this.#peak = 0;
      }
      this.#peak = Math.max(this.#peak, closed.intensity);
      return { name: "blink", intensity: 0, active: false };
    }
    const since = this.#closedSince;
    this.#closedSince = undefined;
    if (since === undefined || t - since > LONGEST_BLINK) return { name: "blink", intensity: 0, active: false };
    return { name: "blink", intensity: this.#peak, active: true };
  }
}
