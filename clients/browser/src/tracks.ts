/** Joins the faces of consecutive frames into tracks by where they are. Ported from `app/sessions/tracks.py`. */

import { centerOf, movedFace, overlap, type Face, type Point } from "./geometry.js";

/** Seconds after the first frame without its face from which on a track has ended. */
const LOST_AFTER = 1;
/** Time constants of a track's mean velocity and width: alone, and while another face overlaps it. */
const [SECONDS, CROWDED_SECONDS] = [0.3, 2];
const CROWDED = 0.05;
const PARTIAL = 1.25;
const LEAST_OVERLAP = 0.1;
const FARTHEST = 0.6;
const FARTHER_A_SECOND = 2;
const LARGEST_CHANGE = 2;

/** One face followed through frames. */
class Track {
  readonly number: number;
  face: Face;
  seen: number;
  width: number;
  /** The time of the first frame since then without the face. */
  missingSince: number | undefined;
  #velocity: Point = [0, 0];
  #frames = 1;

  constructor(number: number, face: Face, t: number) {
    this.number = number;
    this.face = face;
    this.seen = t;
    this.width = face.box.width;
  }

  /** The face where it should be at a time, if it moves on as before. */
  predicted(t: number): Face {
    const elapsed = this.unseen(t);
    return movedFace(this.face, this.#velocity[0] * elapsed, this.#velocity[1] * elapsed);
  }

  /** Seconds for which the face may have moved unseen: a pause of the frames counts as a second at most. */
  unseen(t: number): number {
    return Math.min(t - this.seen, LOST_AFTER);
  }

  follow(face: Face, t: number, crowded: boolean): void {
    this.missingSince = undefined;
    const elapsed = t - this.seen;
    if (elapsed <= 0) return;
    // The place of a face that is partly hidden is not where its visible part is.
    if (crowded && factor(face.box.width, this.width) > PARTIAL) face = this.predicted(t);
    const [[x, y], [beforeX, beforeY]] = [centerOf(face.box), centerOf(this.face.box)];
    const share = Math.max(-Math.expm1(-elapsed / (crowded ? CROWDED_SECONDS : SECONDS)), 1 / this.#frames);
    const [vx, vy] = this.#velocity;
    this.#velocity = [vx + share * ((x - beforeX) / elapsed - vx), vy + share * ((y - beforeY) / elapsed - vy)];
    this.width += share * (face.box.width - this.width);
    this.face = face;
    this.seen = t;
    this.#frames++;
  }
}

/** The tracks of one stream. They are numbered from 1, and a number is never used again. */
export class Tracker {
  tracks: Track[] = [];
  #lastNumber = 0;

  /** The number of the track of each face of the frame at `t`, in seconds, which does not fall. */
  update(t: number, faces: readonly Face[]): number[] {
    this.tracks = this.tracks.filter(({ missingSince }) => missingSince === undefined || t - missingSince <= LOST_AFTER);
    const chosen = this.#chosen(t, faces);
    for (const [index, track] of chosen) {
      const others = this.tracks.filter((other) => other !== track).map((other) => other.predicted(t).box);
      track.follow(
        faces[index],
        t,
        others.some((box) => overlap(faces[index].box, box) > CROWDED),
      );
    }
    const followed = new Set(chosen.values());
    for (const track of this.tracks) if (!followed.has(track)) track.missingSince ??= t;
    return faces.map((face, index) => (chosen.get(index) ?? this.#begin(face, t)).number);
  }

  /** The track of each face that fits one, the best pairs first. */
  #chosen(t: number, faces: readonly Face[]): Map<number, Track> {
    const candidates = this.tracks
      .flatMap((track) => faces.map((face, index) => ({ track, index, cost: cost(track, face, t) })))
      .filter((each) => each.cost !== null)
      .sort((one, other) => one.cost! - other.cost!);
    const chosen = new Map<number, Track>();
    const taken = new Set<Track>();
    for (const { track, index } of candidates) {
      if (taken.has(track) || chosen.has(index)) continue;
      taken.add(track);
      chosen.set(index, track);
    }
    return chosen;
  }

  #begin(face: Face, t: number): Track {
    const track = new Track(++this.#lastNumber, face, t);
    this.tracks.push(track);
    return track;
  }
}

/** How badly a face fits a track; null when it cannot be the same. */
function cost(track: Track, face: Face, t: number): number | null {
  const expected = track.predicted(t);
  const change = factor(face.box.width, track.width);
  if (change > LARGEST_CHANGE) return null;
  const distance = meanDistance(expected, face) / Math.max(track.width, face.box.width);
  const farthest = FARTHEST + FARTHER_A_SECOND * track.unseen(t);
  if (overlap(expected.box, face.box) < LEAST_OVERLAP && distance > farthest) return null;
  return distance + Math.log(change);
}

/** How many times as large as the smaller the larger is. */
const factor = (one: number, other: number): number => Math.max(one, other) / Math.max(Math.min(one, other), 1e-6);

/** The mean distance of the landmarks, or of the boxes' centres where there are none. */
function meanDistance(one: Face, other: Face): number {
  const count = Math.min(one.landmarks.length, other.landmarks.length);
  if (!count) return distance(centerOf(one.box), centerOf(other.box));
  let sum = 0;
  for (let i = 0; i < count; i++) sum += distance(one.landmarks[i], other.landmarks[i]);
  return sum / count;
}

const distance = (one: Point, other: Point): number => Math.hypot(one[0] - other[0], one[1] - other[1]);

/** Means whose weights fall by a factor of e each `seconds`. Ported from `app/sessions/smoothing.py`. */
export class Smoother {
  readonly #seconds: number;
  #means: readonly number[] | undefined;
  #time = 0;

  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  /** The means after the values of time `t`. The first values are their own means. */
  add(t: number, values: readonly number[]): readonly number[] {
    const share = -Math.expm1((this.#time - t) / this.#seconds);
    this.#means = this.#means?.map((mean, i) => mean + share * (values[i] - mean)) ?? values;
    this.#time = t;
    return this.#means;
  }
}
