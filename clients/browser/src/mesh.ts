/** The mesh of a face, its blendshapes, and the pose of the head. Ported from `app/vision/mesh.py` and `app/expression/head_pose.py`. */

import { extract, type CropRegion } from "./crop.js";
import { centerOf, type Face } from "./geometry.js";
import type { Network } from "./network.js";
import { clip } from "./numbers.js";
import type { Pixels } from "./pixels.js";
import { largestEigenvector } from "./symmetric.js";

const MESH_SIDE = 256;
const CROP_SIDE = 1.5;
const LEAST_LOGIT = 0;
const SMALLEST_FACE = 32;
/** Degrees of yaw up to which a mesh is relied on. */
const MOST_TURNED = 55;
/** Added to the pitch, as the service does. */
const LEVEL_PITCH = 1.8;

/** A point: x to the right, y down, z away from the camera. */
export type Point3 = readonly [number, number, number];

export interface HeadPose {
  readonly yaw: number;
  readonly pitch: number;
  readonly roll: number;
}

export interface FaceMesh {
  /** 478 points in pixels of the picture. */
  readonly points: readonly Point3[];
  /** The same points turned until the eyes are level, in sides of the crop. */
  readonly upright: readonly Point3[];
  /** In the order of `BLENDSHAPES`; null when they were not asked for. */
  readonly blendshapes: Float32Array | null;
  readonly pose: HeadPose;
}

/** A point of the fixed face that is laid over a mesh. */
export interface CanonicalPoint {
  readonly index: number;
  readonly weight: number;
  readonly at: Point3;
}

export class MeshNetworks {
  readonly #mesh: Network;
  readonly #blendshapes: Network;
  readonly #model: FixedFace;

  constructor(mesh: Network, blendshapes: Network, canonical: readonly CanonicalPoint[]) {
    this.#mesh = mesh;
    this.#blendshapes = blendshapes;
    this.#model = new FixedFace(canonical);
  }

  /** The mesh of one face, or null where none can be relied on. */
  async run(picture: Pixels, face: Face, withBlendshapes: boolean): Promise<FaceMesh | null> {
    if (face.box.width < SMALLEST_FACE) return null;
    const region = meshRegion(face);
    const crop = extract(picture, region, MESH_SIDE, MESH_SIDE, "replicate");
    const [points, presence] = await this.#mesh.run({ image: [crop, [1, MESH_SIDE, MESH_SIDE, 3]] }, [
      "points",
      "presence",
    ]);
    if (presence[0] < LEAST_LOGIT) return null;
    const upright = points3(points, 1 / MESH_SIDE);
    const placed = upright.map((point) => inPicture(point, region));
    const pose = this.#model.fit(placed).pose;
    if (Math.abs(pose.yaw) > MOST_TURNED) return null;
    const shapes = withBlendshapes
      ? await this.#blendshapes.run({ points: [points, [1, points.length / 3, 3]] }, ["blendshapes"])
      : null;
    return { points: placed, upright, blendshapes: shapes && shapes[0], pose };
  }

  /** The points of a mesh, turned to the front and scaled to the size of the fixed face. */
  frontal(mesh: readonly Point3[]): Point3[] {
    return this.#model.fit(mesh).frontal(mesh);
  }
}

/** The square around a face's box, turned until the eyes are level: that of the first search of the whole picture. */
function meshRegion(found: Face): CropRegion {
  const face = found.first ?? found;
  const side = CROP_SIDE * face.box.width;
  let roll = 0;
  if (face.landmarks.length) {
    const [[rx, ry], [lx, ly]] = face.landmarks;
    roll = Math.atan2(ly - ry, lx - rx);
  }
  const [x, y] = centerOf(face.box);
  const [cos, sin] = [Math.cos(roll), Math.sin(roll)];
  return { x: x - (side / 2) * (cos - sin), y: y - (side / 2) * (sin + cos), side, roll };
}

function inPicture([x, y, z]: Point3, region: CropRegion): Point3 {
  const [cos, sin] = [region.side * Math.cos(region.roll), region.side * Math.sin(region.roll)];
  return [x * cos - y * sin + region.x, x * sin + y * cos + region.y, z * region.side];
}

const points3 = (values: Float32Array, scale: number): Point3[] =>
  Array.from({ length: values.length / 3 }, (_, i) => [
    values[3 * i] * scale,
    values[3 * i + 1] * scale,
    values[3 * i + 2] * scale,
  ]);

/** A fixed three-dimensional face, which is laid over meshes by a weighted Procrustes fit. */
class FixedFace {
  readonly #points: readonly CanonicalPoint[];
  /** The points from their weighted middle, times their weights. */
  readonly #weighted: readonly Point3[];

  constructor(points: readonly CanonicalPoint[]) {
    this.#points = points;
    const middle = weightedMean(points.map(({ weight, at }) => [weight, at]));
    this.#weighted = points.map(
      ({ weight, at }) => [0, 1, 2].map((axis) => (at[axis] - middle[axis]) * weight) as unknown as Point3,
    );
  }

  fit(mesh: readonly Point3[]): Fit {
    const own = this.#points.map(({ index }) => toFixedAxes(mesh[index]));
    const centre = weightedMean(own.map((at, i) => [this.#points[i].weight, at]));
    const points = own.map((at) => minus(at, centre));
    const products = [0, 1, 2].map((a) =>
      [0, 1, 2].map((b) => points.reduce((sum, at, i) => sum + at[a] * this.#weighted[i][b], 0)),
    );
    const spread = points.reduce(
      (sum, at, i) => sum + this.#points[i].weight * (at[0] ** 2 + at[1] ** 2 + at[2] ** 2),
      0,
    );
    // Horn 1987: the turn is the eigenvector, as a quaternion, of the largest eigenvalue of this matrix.
    const { vector, value } = largestEigenvector(quaternionMatrix(products));
    return new Fit(turnOf(vector), value / spread, centre);
  }
}

/** How the fixed face lies in a mesh: its points become `scale × (point - centre) × turn`. */
class Fit {
  constructor(
    readonly turn: readonly Point3[],
    readonly scale: number,
    readonly centre: Point3,
  ) {}

  get pose(): HeadPose {
    const { turn } = this;
    return {
      yaw: degrees(Math.atan2(turn[0][2], turn[2][2])),
      pitch: degrees(Math.asin(clip(turn[1][2], -1, 1))) + LEVEL_PITCH,
      roll: degrees(Math.atan2(turn[1][0], turn[1][1])),
    };
  }

  frontal(mesh: readonly Point3[]): Point3[] {
    return mesh.map((point) => {
      const at = minus(toFixedAxes(point), this.centre);
      return [0, 1, 2].map(
        (axis) => this.scale * at.reduce((sum, value, i) => sum + value * this.turn[i][axis], 0),
      ) as unknown as Point3;
    });
  }
}

const degrees = (radians: number): number => (radians * 180) / Math.PI;
const minus = (one: Point3, other: Point3): Point3 => [one[0] - other[0], one[1] - other[1], one[2] - other[2]];
/** From the axes of a mesh to those of the fixed face. */
const toFixedAxes = ([x, y, z]: Point3): Point3 => [x, -y, -z];

function weightedMean(points: readonly (readonly [weight: number, at: Point3])[]): Point3 {
  const total = points.reduce((sum, [weight]) => sum + weight, 0);
  return [0, 1, 2].map(
    (axis) => points.reduce((sum, [weight, at]) => sum + weight * at[axis], 0) / total,
  ) as unknown as Point3;
}

function quaternionMatrix([[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]]: readonly (readonly number[])[]): number[][] {
  return [
    [xx + yy + zz, yz - zy, zx - xz, xy - yx],
    [yz - zy, xx - yy - zz, xy + yx, zx + xz],
    [zx - xz, xy + yx, yy - xx - zz, yz + zy],
    [xy - yx, zx + xz, yz + zy, zz - xx - yy],
  ];
}

/** The matrix that turns row vectors as a quaternion turns. */
function turnOf([w, x, y, z]: readonly number[]): Point3[] {
  return [
    [w * w + x * x - y * y - z * z, 2 * (x * y + w * z), 2 * (x * z - w * y)],
    [2 * (x * y - w * z), w * w - x * x + y * y - z * z, 2 * (y * z + w * x)],
    [2 * (x * z + w * y), 2 * (y * z - w * x), w * w - x * x - y * y + z * z],
  ];
}
