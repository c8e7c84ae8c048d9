/** Warnings about a picture's quality. Ported from `app/vision/quality.py`. */

import type { Face } from "./geometry.js";
import { rint } from "./numbers.js";
import { greyPart, half, part, resizeArea, type Pixels } from "./pixels.js";
import type { WarningCode } from "./types.js";

const THRESHOLDS = {
  face_too_small: 48,
  blurred: 0.056,
  too_dark: 80,
  too_bright: 200,
  turned_away: 0.26,
  at_edge: 0.2,
} as const;

export const MESSAGES: Readonly<Record<WarningCode, string>> = {
  face_too_small: "The face is small. Move closer, or send the picture in its full size.",
  blurred: "The face is blurred. Hold the camera still, focus on the face, or use more light.",
  too_dark: "The face is dark. Turn towards the light, or use more of it.",
  too_bright: "The face is overexposed. Step out of the direct light, or lower the exposure.",
  turned_away: "The face is turned aside. Look straight at the camera.",
  at_edge: "The face is cut off by the edge of the picture. Show all of it.",
  multiple_faces: "There are several faces in the picture. If you mean one of them, crop the picture to it.",
  face_assumed: "No face was found, so the middle of the picture was used. Do not rely on the result.",
  mesh_unsure: "The face is too small, covered or turned too far for details. Show more of it.",
};

const TURNED_AWAY_YAW = 30;
/** Pixels on a side to which every face is scaled before it is measured. */
const SIDE = 64;
/** Width of a face below which its blur cannot be measured. */
const TOO_COARSE = 32;

/** What a mesh says of a face: null where one was asked for in vain. */
export type Turn = { readonly yaw: number } | null;

/** The warnings for one face of a picture with `facesDetected` faces. `turn` is undefined where no mesh was asked for. */
export function assess(picture: Pixels, face: Face, facesDetected: number, turn?: Turn): WarningCode[] {
  const codes: WarningCode[] = [];
  if (face.assumed) codes.push("face_assumed");
  else if (rint(face.box.width) < THRESHOLDS.face_too_small) codes.push("face_too_small");
  const grey = greyFace(picture, face);
  if (grey) {
    codes.push(...light(grey));
    if (face.box.width >= TOO_COARSE && detail(grey) < THRESHOLDS.blurred) codes.push("blurred");
  }
  if (turned(face, turn)) codes.push("turned_away");
  if (beyondEdge(picture, face) > THRESHOLDS.at_edge) codes.push("at_edge");
  if (facesDetected > 1) codes.push("multiple_faces");
  if (turn === null) codes.push("mesh_unsure");
  return codes;
}

/** The face's box as 64 by 64 grey pixels, or null if less than two pixels of it are visible. */
function greyFace(picture: Pixels, { box }: Face): Uint8Array | null {
  const [left, right] = [Math.max(rint(box.x), 0), Math.min(rint(box.x + box.width), picture.width)];
  const [top, bottom] = [Math.max(rint(box.y), 0), Math.min(rint(box.y + box.height), picture.height)];
  if (right - left < 2 || bottom - top < 2) return null;
  const step = Math.max(Math.floor((right - left) / (2 * SIDE)), 1);
  let grey = greyPart(part(picture, left, top, right - left, bottom - top), step);
  while (Math.min(grey.width, grey.height) >= 2 * SIDE) grey = half(grey);
  const { data, offset } = resizeArea(grey, SIDE, SIDE);
  return new Uint8Array(data.buffer, data.byteOffset + offset, SIDE * SIDE);
}

function light(grey: Uint8Array): WarningCode[] {
  const edge = SIDE / 8;
  const inner = (SIDE - 2 * edge) ** 2;
  let [brighterThanDark, bright] = [0, 0];
  for (let y = edge; y < SIDE - edge; y++) {
    for (let x = edge; x < SIDE - edge; x++) {
      const value = grey[y * SIDE + x];
      if (value > THRESHOLDS.too_dark - 1) brighterThanDark++;
      if (value > THRESHOLDS.too_bright) bright++;
    }
  }
  if (brighterThanDark < 0.05 * inner) return ["too_dark"];
  return bright >= 0.75 * inner ? ["too_bright"] : [];
}

/** Energy of the finest detail as a share of all contrast: low when blurred, in any light. */
function detail(grey: Uint8Array): number {
  const contrast = variance(grey);
  return contrast ? variance(laplacian(grey)) / contrast : 0;
}

/** `cv2.Laplacian` with its smallest kernel. Beyond the edge, the picture is mirrored. */
function laplacian(grey: Uint8Array): Float64Array {
  const result = new Float64Array(grey.length);
  const beside = (at: number, by: number) => (at + by < 0 || at + by >= SIDE ? at - by : at + by);
  for (let y = 0; y < SIDE; y++) {
    const [above, below] = [beside(y, -1) * SIDE, beside(y, 1) * SIDE];
    for (let x = 0; x < SIDE; x++) {
      const across = grey[y * SIDE + beside(x, -1)] + grey[y * SIDE + beside(x, 1)];
      result[y * SIDE + x] = across + grey[above + x] + grey[below + x] - 4 * grey[y * SIDE + x];
    }
  }
  return result;
}

function variance(values: Uint8Array | Float64Array): number {
  let [sum, squares] = [0, 0];
  for (const value of values) {
    sum += value;
    squares += value * value;
  }
  return squares / values.length - (sum / values.length) ** 2;
}

function turned(face: Face, turn: Turn | undefined): boolean {
  if (turn) return Math.abs(turn.yaw) > TURNED_AWAY_YAW;
  return face.landmarks.length > 0 && noseOffset(face) > THRESHOLDS.turned_away;
}

/** Distance of the nose from the middle of the eyes, along the line through them, in eye distances. */
function noseOffset(face: Face): number {
  const [[rx, ry], [lx, ly], [nx, ny]] = face.landmarks;
  const [across, down] = [lx - rx, ly - ry];
  const squared = across * across + down * down;
  if (!squared) return Infinity;
  return Math.abs((nx - (rx + lx) / 2) * across + (ny - (ry + ly) / 2) * down) / squared;
}

function beyondEdge(picture: Pixels, { box }: Face): number {
  const beyond = Math.max(-box.x, -box.y, box.x + box.width - picture.width, box.y + box.height - picture.height);
  return beyond / box.width;
}
