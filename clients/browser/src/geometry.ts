/** Boxes and faces, and moving them between coordinate systems. Ported from `app/vision/geometry.py`. */

export type Point = readonly [number, number];

/** A rectangle in pixels. It may extend beyond the picture. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** One face. `landmarks` holds six points in the order of `LANDMARK_NAMES`; left and right are the person's own. */
export interface Face {
  readonly box: Box;
  readonly score: number;
  readonly landmarks: readonly Point[];
  /** Not detected: the centre of the picture, which the caller asked for instead. */
  readonly assumed?: boolean;
  /** The same face as a search of the whole picture showed it, where a close-up has corrected it since. */
  readonly first?: Face;
}

export const LANDMARK_NAMES = ["right_eye", "left_eye", "nose_tip", "mouth_center", "right_ear", "left_ear"] as const;

export const area = (box: Box): number => box.width * box.height;

export const centerOf = (box: Box): Point => [box.x + box.width / 2, box.y + box.height / 2];

export const scaledBox = (box: Box, x: number, y: number): Box => ({
  x: box.x * x,
  y: box.y * y,
  width: box.width * x,
  height: box.height * y,
});

export const movedBox = (box: Box, dx: number, dy: number): Box => ({ ...box, x: box.x + dx, y: box.y + dy });

/** Intersection over union. */
export function overlap(one: Box, other: Box): number {
  const shared = intersection(one, other);
  return shared ? shared / (area(one) + area(other) - shared) : 0;
}

/** The share of a box that lies inside the other. */
export const coveredBy = (box: Box, other: Box): number => (area(box) ? intersection(box, other) / area(box) : 0);

function intersection(one: Box, other: Box): number {
  const across = Math.min(one.x + one.width, other.x + other.width) - Math.max(one.x, other.x);
  const down = Math.min(one.y + one.height, other.y + other.height) - Math.max(one.y, other.y);
  return across > 0 && down > 0 ? across * down : 0;
}

export function scaledFace(face: Face, x: number, y: number): Face {
  return moved(
    face,
    (box) => scaledBox(box, x, y),
    ([px, py]) => [px * x, py * y],
  );
}

export function movedFace(face: Face, dx: number, dy: number): Face {
  return moved(
    face,
    (box) => movedBox(box, dx, dy),
    ([px, py]) => [px + dx, py + dy],
  );
}

function moved(face: Face, box: (box: Box) => Box, point: (point: Point) => Point): Face {
  const result = { ...face, box: box(face.box), landmarks: face.landmarks.map(point) };
  return face.first ? { ...result, first: moved(face.first, box, point) } : result;
}
