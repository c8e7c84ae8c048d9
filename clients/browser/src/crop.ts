/** From a face in a picture to the square crop that a model sees. Ported from `app/vision/crop.py`. */

import type { Face, Point } from "./geometry.js";
import { rint } from "./numbers.js";
import { half, part, resizeArea, warp, type Border, type Pixels } from "./pixels.js";

/** The picture is averaged down to this many source pixels per target pixel before the last, bilinear step. */
const SHARPEST_SCALE = 1.5;

/** How a manifest places the crop: by the eyes, in shares of its side, or by the box, in its widths. */
export type Framing =
  | { readonly eye_distance: number; readonly eye_center: Point }
  | { readonly side: number; readonly offset_x: number; readonly offset_y: number };

/** A square in a picture: its top left corner, its side in pixels, and its rotation about that corner in radians. */
export interface CropRegion {
  readonly x: number;
  readonly y: number;
  readonly side: number;
  readonly roll: number;
}

/** The crop of a face by a model's framing. The crop of an assumed face is its box. */
export function regionOf(face: Face, framing: Framing): CropRegion {
  const { box } = face;
  if (face.assumed) return { x: box.x, y: box.y, side: box.width, roll: 0 };
  if ("eye_distance" in framing) return byEyes(face, framing.eye_distance, framing.eye_center);
  const { offset_x, offset_y, side } = framing;
  return { x: box.x + offset_x * box.width, y: box.y + offset_y * box.width, side: side * box.width, roll: 0 };
}

function byEyes(face: Face, eyeDistance: number, eyeCenter: Point): CropRegion {
  const [[rx, ry], [lx, ly]] = face.landmarks;
  // In profile the eyes are close together; without a lower bound the crop would shrink to the eye.
  const distance = Math.max(Math.hypot(lx - rx, ly - ry), 0.2 * face.box.width);
  const side = distance / eyeDistance;
  const roll = Math.atan2(ly - ry, lx - rx);
  const [across, down] = [eyeCenter[0] * side, eyeCenter[1] * side];
  const [cos, sin] = [Math.cos(roll), Math.sin(roll)];
  const x = (rx + lx) / 2 - across * cos + down * sin;
  const y = (ry + ly) / 2 - across * sin - down * cos;
  return { x, y, side, roll };
}

/** The region's pixels as packed RGB. Beyond the edge, the picture is continued by `border`. */
export function extract(pixels: Pixels, region: CropRegion, width: number, height: number, border: Border): Uint8Array {
  const shrink = region.side / (Math.max(width, height) * SHARPEST_SCALE);
  if (shrink > 1) [pixels, region] = shrunk(pixels, region, shrink);
  const [stepX, stepY] = [region.side / width, region.side / height];
  const [cos, sin] = [Math.cos(region.roll), Math.sin(region.roll)];
  // Pixel centres: target (i, j) stands for the point (i + 0.5, j + 0.5) of its grid.
  const x = region.x + 0.5 * (cos * stepX - sin * stepY) - 0.5;
  const y = region.y + 0.5 * (sin * stepX + cos * stepY) - 0.5;
  return warp(pixels, [cos * stepX, -sin * stepY, x, sin * stepX, cos * stepY, y], width, height, border);
}

/** The surroundings of the region, averaged down by about `shrink`, and the region in them. */
function shrunk(pixels: Pixels, region: CropRegion, shrink: number): [Pixels, CropRegion] {
  const corners = cornersOf(region);
  const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
  const margin = 2 * shrink;
  const left = Math.max(Math.floor(Math.min(...xs) - margin), 0);
  const top = Math.max(Math.floor(Math.min(...ys) - margin), 0);
  let width = Math.min(Math.ceil(Math.max(...xs) + margin), pixels.width) - left;
  let height = Math.min(Math.ceil(Math.max(...ys) + margin), pixels.height) - top;
  const step = 1 << Math.trunc(Math.log2(shrink));
  // A negative length means that the region lies beyond the picture.
  width -= ((width % step) + step) % step;
  height -= ((height % step) + step) % step;
  if (width < 2 || height < 2) return [pixels, region];
  const size = [Math.max(rint(width / shrink), 1), Math.max(rint(height / shrink), 1)] as const;
  const small = resizeArea(halved(part(pixels, left, top, width, height), shrink), ...size);
  const [scaleX, scaleY] = [width / size[0], height / size[1]];
  const side = region.side / ((scaleX + scaleY) / 2);
  return [small, { x: (region.x - left) / scaleX, y: (region.y - top) / scaleY, side, roll: region.roll }];
}

/** The pixels halved as often as `shrink` allows. */
function halved(pixels: Pixels, shrink: number): Pixels {
  while (shrink >= 2 && !(pixels.width % 2) && !(pixels.height % 2)) {
    pixels = half(pixels);
    shrink /= 2;
  }
  return pixels;
}

/** Top left, top right, bottom right, bottom left. */
export function cornersOf({ x, y, side, roll }: CropRegion): Point[] {
  const [acrossX, acrossY] = [side * Math.cos(roll), side * Math.sin(roll)];
  const [downX, downY] = [-acrossY, acrossX];
  return [
    [x, y],
    [x + acrossX, y + acrossY],
    [x + acrossX + downX, y + acrossY + downY],
    [x + downX, y + downY],
  ];
}
