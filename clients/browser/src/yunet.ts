/** YuNet, the network for faces of many sizes. Ported from `app/vision/detectors/yunet.py`. */

import { overlapOf } from "./blazeface.js";
import type { Face, Point } from "./geometry.js";
import type { Network } from "./network.js";
import { type Pixels, planes } from "./pixels.js";

/** Pixels between the cells of each of the network's three grids. */
const STRIDES = [8, 16, 32] as const;
const SAME_FACE = 0.3;
const MOST_BOXES = 1000;
const MOST_FACES = 200;
/** How far the centre of a face's square lies below that of YuNet's box, as a share of its side. */
const DOWN = 0.07;
/** The right ear from the middle of the eyes: factors, as complex numbers, of the vectors in `ear`. */
const EAR: readonly Point[] = [
  [-1.388, 0.095],
  [0.933, -0.387],
  [-0.005, 0.965],
  [0.007, -0.508],
];

export class YuNet {
  readonly #network: Network;

  constructor(network: Network) {
    this.#network = network;
  }

  /** The faces from a score on, best first, in pixels of the picture. */
  async detect(pixels: Pixels, leastScore: number): Promise<Face[]> {
    const [width, height] = [pixels.width, pixels.height].map((side) => Math.ceil(side / 32) * 32);
    const input = planes(pixels, width, height);
    const [cells] = await this.#network.run({ image: [input, [1, 3, height, width]] }, ["cells"]);
    const count = cells.length / 16;
    const likely: { score: number; cell: number }[] = [];
    for (let cell = 0; cell < count; cell++) {
      const score = Math.fround(1 / Math.sqrt((1 + Math.exp(-cells[cell])) * (1 + Math.exp(-cells[count + cell]))));
      if (score >= leastScore) likely.push({ score, cell });
    }
    likely.sort((one, other) => other.score - one.score);
    const boxes = likely.slice(0, MOST_BOXES).map(({ score, cell }) => {
      const raw = Float64Array.from({ length: 14 }, (_, i) => cells[(2 + i) * count + cell]);
      return { score, points: decoded(raw, ...cellAt(cell, width, height)) };
    });
    return distinct(boxes).map(({ score, points }) => faceOf(score, points));
  }
}

/** Corner and stride of a cell in pixels. The grids follow each other, fine to coarse. */
function cellAt(cell: number, width: number, height: number): [x: number, y: number, stride: number] {
  for (const stride of STRIDES) {
    const columns = width / stride;
    const count = columns * (height / stride);
    if (cell < count) return [(cell % columns) * stride, Math.floor(cell / columns) * stride, stride];
    cell -= count;
  }
  throw new RangeError("a cell beyond the grids");
}

/** x and y of the top left corner, of the bottom right one, and of five landmarks. */
function decoded(raw: Float64Array, x: number, y: number, stride: number): Float64Array {
  const points = raw.map((value, i) => value * stride + (i % 2 ? y : x));
  const [middleX, middleY] = [points[0], points[1]];
  const [halfWidth, halfHeight] = [(Math.exp(raw[2]) * stride) / 2, (Math.exp(raw[3]) * stride) / 2];
  points.set([middleX - halfWidth, middleY - halfHeight, middleX + halfWidth, middleY + halfHeight]);
  return points;
}

/** Non-maximum suppression: those that overlap no better one much. Best come first. */
function distinct<T extends { points: Float64Array }>(boxes: readonly T[]): T[] {
  const kept: T[] = [];
  for (const box of boxes) {
    if (kept.length === MOST_FACES) break;
    if (kept.every((other) => overlapOf(box.points, other.points) <= SAME_FACE)) kept.push(box);
  }
  return kept;
}

const sum = (one: Point, other: Point): Point => [one[0] + other[0], one[1] + other[1]];
const difference = (one: Point, other: Point): Point => [one[0] - other[0], one[1] - other[1]];
const middle = (one: Point, other: Point): Point => [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2];
const mirrored = ([x, y]: Point): Point => [-x, y];

/** A face with a square box from the eyebrows to the chin and six landmarks. */
function faceOf(score: number, points: Float64Array): Face {
  const [rightEye, leftEye, nose, rightCorner, leftCorner] = [2, 3, 4, 5, 6].map((i): Point => [
    points[2 * i],
    points[2 * i + 1],
  ]);
  const [left, top, right, bottom] = points;
  const [eyes, mouth] = [middle(rightEye, leftEye), middle(rightCorner, leftCorner)];
  const side = Math.sqrt((right - left) * (bottom - top));
  const [dx, dy] = direction(difference(mouth, eyes));
  const [x, y] = [(left + right) / 2 + DOWN * side * dx, (top + bottom) / 2 + DOWN * side * dy];
  const from = (point: Point) => difference(point, eyes);
  const rightEar = sum(eyes, ear([from(nose), from(rightCorner), from(leftCorner), difference(leftEye, rightEye)]));
  const other = [from(nose), from(leftCorner), from(rightCorner), difference(rightEye, leftEye)];
  const leftEar = sum(eyes, mirrored(ear(other.map(mirrored))));
  const box = { x: x - side / 2, y: y - side / 2, width: side, height: side };
  return { box, score, landmarks: [rightEye, leftEye, nose, mouth, rightEar, leftEar] };
}

function direction([x, y]: Point): Point {
  const length = Math.hypot(x, y);
  return length ? [x / length, y / length] : [0, 1];
}

/** The sum of the vectors (nose, corner of the mouth on the ear's side, the other corner, eye to eye) times `EAR`. */
function ear(vectors: readonly Point[]): Point {
  return vectors.reduce<Point>(
    (total, [x, y], i) => {
      const [real, imaginary] = EAR[i];
      return sum(total, [real * x - imaginary * y, real * y + imaginary * x]);
    },
    [0, 0],
  );
}
