/** BlazeFace, the network for large faces. Ported from `app/vision/detectors/blazeface.py`. */

import type { Face, Point } from "./geometry.js";
import { warp, type Pixels } from "./pixels.js";
import type { Network } from "./network.js";

export const NEAR_SIDE = 128;
/** Pixels between the cells of the network's two feature maps, and the anchors of each cell. */
const GRIDS = [
  [8, 2],
  [16, 6],
] as const;
/** What both sides of the network's input are divisible by. */
const COARSEST = 16;
/** Intersection over union from which boxes are averaged. */
const SAME_FACE = 0.3;
/** Numbers of a box: its two corners and six landmarks. */
const NUMBERS = 16;

interface Candidate {
  readonly score: number;
  /** x and y of the top left corner, of the bottom right one, and of the landmarks, in pixels of the network's input. */
  readonly points: Float64Array;
}

export class BlazeFace {
  readonly #network: Network;

  constructor(network: Network) {
    this.#network = network;
  }

  /** The faces from a score on, best first, in pixels of the picture. */
  async detect(pixels: Pixels, leastScore: number): Promise<Face[]> {
    const scale = Math.max(pixels.width, pixels.height) / NEAR_SIDE;
    const [columns, rows] = [covering(pixels.width / scale), covering(pixels.height / scale)];
    const [left, top] = [(pixels.width - columns * scale) / 2, (pixels.height - rows * scale) / 2];
    const image = warp(pixels, [scale, 0, left, 0, scale, top], columns, rows, "black");
    const grids = await this.#network.run({ image: [image, [1, rows, columns, 3]] }, ["fine", "coarse"]);
    const found = candidates(grids, columns, rows, Math.log(leastScore / (1 - leastScore)));
    return averaged(found).map(({ score, points }) => {
      const place = (i: number): Point => [points[2 * i] * scale + left, points[2 * i + 1] * scale + top];
      const [[x, y], [right, bottom]] = [place(0), place(1)];
      const landmarks = [2, 3, 4, 5, 6, 7].map(place);
      return { box: { x, y, width: right - x, height: bottom - y }, score, landmarks };
    });
  }
}

/** A length of the network's input that covers a length of the picture. */
function covering(length: number): number {
  return Math.ceil(length / COARSEST) * COARSEST;
}

/** What the network finds at its anchors, best first. */
function candidates(grids: Float32Array[], columns: number, rows: number, leastLogit: number): Candidate[] {
  const found: Candidate[] = [];
  GRIDS.forEach(([stride, anchors], level) => {
    const grid = grids[level];
    const across = columns / stride;
    const plane = (across * rows) / stride;
    for (let cell = 0; cell < plane; cell++) {
      for (let anchor = 0; anchor < anchors; anchor++) {
        const logit = grid[anchor * plane + cell];
        if (logit < leastLogit) continue;
        const first = (anchors + anchor * NUMBERS) * plane + cell;
        const raw = Float64Array.from({ length: NUMBERS }, (_, i) => grid[first + i * plane]);
        const center: Point = [((cell % across) + 0.5) * stride, (Math.floor(cell / across) + 0.5) * stride];
        found.push({ score: 1 / (1 + Math.exp(-logit)), points: decoded(raw, center) });
      }
    }
  });
  return found.sort((one, other) => other.score - one.score);
}

function decoded(raw: Float64Array, [x, y]: Point): Float64Array {
  const points = raw.map((value, i) => value + (i % 2 ? y : x));
  const [halfWidth, halfHeight] = [raw[2] / 2, raw[3] / 2];
  const [middleX, middleY] = [points[0], points[1]];
  points.set([middleX - halfWidth, middleY - halfHeight, middleX + halfWidth, middleY + halfHeight]);
  return points;
}

/** Weighted non-maximum suppression: overlapping boxes are averaged by their scores, from the best one on. */
function averaged(rest: Candidate[]): Candidate[] {
  const faces: Candidate[] = [];
  while (rest.length) {
    const best = rest[0];
    const same = rest.filter((each) => each === best || overlapOf(each.points, best.points) > SAME_FACE);
    rest = rest.filter((each) => !same.includes(each));
    const total = same.reduce((sum, each) => sum + each.score, 0);
    const points = best.points.map((_, i) => same.reduce((sum, each) => sum + each.score * each.points[i], 0) / total);
    faces.push({ score: best.score, points });
  }
  return faces;
}

/** Intersection over union of two boxes, each given by its corners. */
export function overlapOf(one: ArrayLike<number>, other: ArrayLike<number>): number {
  const length = (from: number, to: number) => Math.max(to - from, 0);
  const shared =
    length(Math.max(one[0], other[0]), Math.min(one[2], other[2])) *
    length(Math.max(one[1], other[1]), Math.min(one[3], other[3]));
  const sum = length(one[0], one[2]) * length(one[1], one[3]) + length(other[0], other[2]) * length(other[1], other[3]);
  return shared / Math.max(sum - shared, Number.MIN_VALUE);
}
