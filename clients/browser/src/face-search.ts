/** Finds the faces of a picture with two networks. Ported from `app/vision/face_search.py`, which explains it. */

import {
  area,
  centerOf,
  coveredBy,
  movedBox,
  movedFace,
  overlap,
  scaledBox,
  scaledFace,
  type Box,
  type Face,
} from "./geometry.js";
import { rint } from "./numbers.js";
import { flipped, half, part, resizeLinear, surrounded, type Pixels } from "./pixels.js";

const SMALL_COPY = 256;
const MIDDLE_COPY = 320;
const LARGE_COPY = 640;
const NEAR_SIDE = 128;
const CLOSE_UP = 2.2;
const SURROUND = 128;
const FEW_PIXELS = 48;
const MISSED_PIXELS = 36;
export const SMALL_FACE = 0.18;
const CANDIDATE = 0.4;
const FAINT = 0.1;
const MOST_FAINT = 8;
const LARGE_CANDIDATE = 0.6;
const WORTH_MIRRORING = 0.1;
const SURE = 0.25;
const AGREED = 0.3;
const CONFIRMED = 0.275;
const ALONE: Readonly<Record<number, number>> = { [SMALL_COPY]: 0.15, [MIDDLE_COPY]: 0.3, [LARGE_COPY]: 0.3 };
const MOST_CANDIDATES = 100;
const SAME_FACE = 0.3;
const PART_OF = 0.6;
const ASSUMED_SHARE = 0.6;

export interface FaceNetwork {
  /** The faces from a score on, best first, in the pixels that are given. */
  detect(pixels: Pixels, leastScore: number): Promise<Face[]>;
}

export interface FaceDetector {
  readonly near: FaceNetwork;
  readonly far: FaceNetwork;
  /** The least score of a face. */
  readonly threshold: number;
}

/** The faces of a picture, largest first. `thorough` searches for small faces even when there is a large one. */
export async function find(detector: FaceDetector, picture: Pixels, thorough: boolean): Promise<Face[]> {
  const search = new Search(detector, picture);
  await search.near();
  if (search.found.length) {
    if (!thorough) {
      if (search.findsOnlySmallFaces) await search.far(MIDDLE_COPY);
    } else if (search.findsOnlySmallFaces || (await search.far(MIDDLE_COPY))) await search.far(LARGE_COPY);
  } else {
    for (const side of thorough ? [LARGE_COPY, SMALL_COPY] : [SMALL_COPY, LARGE_COPY]) {
      if (!search.found.length) await search.far(side);
    }
  }
  return search.sorted();
}

/** The large faces of a picture, as the near network finds them in one pass. */
export async function findNear(detector: FaceDetector, picture: Pixels): Promise<Face[]> {
  const search = new Search(detector, picture);
  await search.near();
  return search.sorted();
}

/** The faces that were in these boxes a moment ago, largest first; null when not each of them is found again. */
export async function findAgain(
  detector: FaceDetector,
  picture: Pixels,
  boxes: readonly Box[],
): Promise<Face[] | null> {
  const search = new Search(detector, picture);
  for (const box of boxes) await search.again(box);
  const found = search.sorted();
  return found.length === boxes.length ? found : null;
}

/** The central region of a picture, for a caller who wants a result in any case. */
export function assumed(picture: Pixels): Face {
  const side = ASSUMED_SHARE * Math.min(picture.width, picture.height);
  const box = { x: (picture.width - side) / 2, y: (picture.height - side) / 2, width: side, height: side };
  return { box, score: 0, landmarks: [], assumed: true };
}

/** The faces of one picture that have been found so far. */
class Search {
  readonly found: Face[] = [];
  readonly #detector: FaceDetector;
  readonly #threshold: number;
  readonly #pixels: Pixels;
  readonly #side: number;

  constructor(detector: FaceDetector, pixels: Pixels) {
    this.#detector = detector;
    this.#threshold = detector.threshold;
    this.#pixels = pixels;
    this.#side = Math.max(pixels.width, pixels.height);
  }

  get findsOnlySmallFaces(): boolean {
    return this.found.every((face) => face.box.width < SMALL_FACE * this.#side);
  }

  sorted(): Face[] {
    const whole = this.found.filter((face) => !this.found.some((other) => isPart(face.box, other.box)));
    return whole.sort((one, other) => area(other.box) - area(one.box));
  }

  /** The near network's pass over the whole picture. */
  async near(): Promise<void> {
    for (const face of (await this.#near(this.#pixels, this.#threshold)).slice(0, MOST_CANDIDATES)) {
      if (face.score >= this.#threshold + SURE) {
        this.#add(face);
      } else {
        const again = await this.#confirmed(face);
        this.#add(again && { ...again, first: face });
      }
    }
  }

  /** The near network's pass over the surroundings of a face that was there. */
  async again(box: Box): Promise<void> {
    const closeUp = this.#closeUp(box);
    if (!closeUp) return;
    const face = best(await this.#near(closeUp.pixels, this.#threshold), closeUp.inside(box));
    this.#add(face && closeUp.outside(face));
  }

  /** The far network's pass over a copy. True if small faces are found, so that others may be missed. */
  async far(side: number): Promise<boolean> {
    const few = (FEW_PIXELS * this.#side) / side;
    const known = this.found.length;
    for (const face of await this.#candidates(side)) {
      if ((face.score < CANDIDATE * this.#threshold && this.found.length) || this.#knows(face)) continue;
      this.#add((await this.#confirmed(face)) ?? (face.box.width >= few ? await this.#alone(face, side) : null));
    }
    const missedNearby = (MISSED_PIXELS * this.#side) / side;
    return this.found.slice(known).some((face) => face.box.width < missedNearby);
  }

  /** What the far network finds in a copy and is worth a close-up, best first. */
  async #candidates(side: number): Promise<Face[]> {
    const least = side === LARGE_COPY && !this.found.length ? FAINT : CANDIDATE;
    const large = SMALL_FACE * this.#side;
    const all = await this.#far(side, least * this.#threshold);
    const seen = all.filter((face) => face.box.width < large || face.score >= LARGE_CANDIDATE * this.#threshold);
    const clear = seen.filter((face) => face.score >= CANDIDATE * this.#threshold).length;
    return seen.slice(0, Math.min(clear + MOST_FAINT, MOST_CANDIDATES));
  }

  async #far(side: number, leastScore: number): Promise<Face[]> {
    const copy = resized(this.#pixels, side);
    const [across, down] = [this.#pixels.width / copy.width, this.#pixels.height / copy.height];
    return (await this.#detector.far.detect(copy, leastScore)).map((face) => scaledFace(face, across, down));
  }

  async #near(pixels: Pixels, leastScore: number): Promise<Face[]> {
    const small = halved(pixels, 2 * NEAR_SIDE);
    const [across, down] = [pixels.width / small.width, pixels.height / small.height];
    return (await this.#detector.near.detect(small, leastScore)).map((face) => scaledFace(face, across, down));
  }

  #knows(face: Face): boolean {
    return this.found.some(
      (other) => overlap(face.box, other.box) > SAME_FACE || coveredBy(face.box, other.box) > PART_OF,
    );
  }

  #add(face: Face | null): void {
    if (face && !this.#knows(face)) this.found.push(face);
  }

  /** A face that the near network does not confirm, if the far network is sure of it, perhaps at half its size. */
  async #alone(face: Face, side: number): Promise<Face | null> {
    if (face.score >= this.#threshold + ALONE[side]) return face;
    if (side !== SMALL_COPY || face.score < this.#threshold) return null;
    const again = best(await this.#far(side >> 1, 2 * this.#threshold - face.score), face.box);
    return again && { ...face, score: (face.score + again.score) / 2 };
  }

  /** The face as the near network finds it in a close-up and in the close-up's mirror image, or null. */
  async #confirmed(face: Face): Promise<Face | null> {
    const closeUp = this.#closeUp(face.box);
    if (!closeUp) return null;
    const expected = closeUp.inside(face.box);
    const again = best(await this.#near(closeUp.pixels, this.#threshold), expected);
    if (!again) return null;
    if (face.score < this.#threshold || again.score < this.#threshold + AGREED) {
      if (again.score < this.#threshold + WORTH_MIRRORING) return null;
      const mirrorBox = movedBox(expected, closeUp.pixels.width - 2 * centerOf(expected)[0], 0);
      const mirrored = best(await this.#near(flipped(closeUp.pixels), this.#threshold), mirrorBox);
      if (!mirrored) return null;
      if ((again.score + mirrored.score) / 2 + face.score / 10 < this.#threshold + CONFIRMED) return null;
    }
    return closeUp.outside(again);
  }

  /** The surroundings of a face, halved until the near network's input is at most four times smaller. */
  #closeUp(box: Box): CloseUp | null {
    const { width, height } = this.#pixels;
    const side = Math.max(rint(CLOSE_UP * box.width), 2);
    const [left, top] = centerOf(box).map((middle) => rint(middle - side / 2));
    const [x, y] = [Math.max(left, 0), Math.max(top, 0)];
    const [right, bottom] = [Math.min(left + side, width), Math.min(top + side, height)];
    if (right <= x || bottom <= y) return null;
    let step = 1;
    while (side >= 4 * step * NEAR_SIDE) step *= 2;
    const near = part(this.#pixels, x, y, right - x, bottom - y);
    const small = halved(near, Math.floor(Math.max(near.width, near.height) / step));
    const beyond = [
      Math.max(-top, 0),
      Math.max(top + side - height, 0),
      Math.max(-left, 0),
      Math.max(left + side - width, 0),
    ];
    const [above, below, before, after] = beyond.map((count) => Math.floor(count / step));
    return new CloseUp(surrounded(small, above, below, before, after, SURROUND), left, top, step);
  }
}

/** A part of a picture, perhaps reduced: its pixels, its corner in the picture, and the picture's pixels a pixel. */
class CloseUp {
  constructor(
    readonly pixels: Pixels,
    readonly left: number,
    readonly top: number,
    readonly step: number,
  ) {}

  inside(box: Box): Box {
    return scaledBox(movedBox(box, -this.left, -this.top), 1 / this.step, 1 / this.step);
  }

  outside(face: Face): Face {
    return movedFace(scaledFace(face, this.step, this.step), this.left, this.top);
  }
}

/** The pixels halved while their longer side stays at least `side`. */
function halved(pixels: Pixels, side: number): Pixels {
  while (Math.max(pixels.width, pixels.height) >= 2 * side && Math.min(pixels.width, pixels.height) >= 2)
    pixels = half(pixels);
  return pixels;
}

/** The pixels with a longer side of `side`. */
function resized(pixels: Pixels, side: number): Pixels {
  const factor = side / Math.max(pixels.width, pixels.height);
  const [width, height] = [pixels.width, pixels.height].map((length) => Math.max(rint(length * factor), 1));
  return resizeLinear(halved(pixels, side), width, height);
}

function best(found: readonly Face[], where: Box): Face | null {
  const there = found.filter((face) => overlap(face.box, where) > SAME_FACE);
  return there.reduce<Face | null>((first, face) => (first && first.score >= face.score ? first : face), null);
}

const isPart = (box: Box, other: Box): boolean => area(box) < area(other) && coveredBy(box, other) > PART_OF;
