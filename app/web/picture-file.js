/** Prepares a chosen file for sending: upright, no larger than useful, in a format that the service reads. */

import { CallError } from "./api.js";
import { h } from "./dom.js";
import { megabytes } from "./format.js";

const LONGEST_SIDE = 2048;

const QUALITY = 0.9;

const MAGIC = [
  ["jpeg", [0xff, 0xd8, 0xff]],
  ["png", [0x89, 0x50, 0x4e, 0x47]],
  ["bmp", [0x42, 0x4d]],
];

/** The orientation in the EXIF data of a WebP, in either order of bytes. */
const ORIENTATION = /\x12\x01\x03\0\x01\0{3}(.)|\x01\x12\0\x03\0{3}\x01\0(.)/s;
/** By orientation, from 2 on: the transform that turns a picture upright, without its shift. */
const TURNS = [[-1, 0, 0, 1], [-1, 0, 0, -1], [1, 0, 0, -1], [0, 1, 1, 0], [0, 1, -1, 0], [0, -1, -1, 0], [0, -1, 1, 0]];

/** How a WebP has to be turned, and a copy that no browser turns: they do not agree on it. */
async function unturned(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const found = ORIENTATION.exec(new TextDecoder("latin1").decode(bytes));
  const turn = TURNS[(found?.[1] ?? found?.[2])?.charCodeAt() - 2];
  if (turn) bytes.fill(0, found.index, found.index + 2);
  return { turn, file: turn ? new Blob([bytes]) : file };
}

async function formatOf(file) {
  const head = new Uint8Array(await file.slice(0, 12).arrayBuffer());
  const found = MAGIC.find(([, bytes]) => bytes.every((byte, index) => head[index] === byte));
  if (found) return found[0];
  const text = String.fromCharCode(...head);
  return text.startsWith("RIFF") && text.endsWith("WEBP") ? "webp" : "";
}

/** The picture, upright, or null if the browser cannot open it. */
export function openPicture(file) {
  return createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => null);
}

function draw(bitmap, scale, [a, b, c, d] = [1, 0, 0, 1]) {
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
  const canvas = h("canvas", b ? { width: height, height: width } : { width, height });
  const context = canvas.getContext("2d");
  context.setTransform(a, b, c, d, a + c < 0 ? canvas.width : 0, b + d < 0 ? canvas.height : 0);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  return canvas;
}

const encode = (canvas) => new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));

/**
 * Returns `{ file, width, height, note }`: what to send or to read here, its upright size (0 if the browser cannot open
 * it), and a sentence that says what was changed. A file that needs no change stays as it is, byte for byte, in memory:
 * the one on the disk may change before it is sent.
 */
export async function prepare(file, maxBytes, what = "sent") {
  let format;
  try {
    if (file.size <= maxBytes) file = new File([await file.arrayBuffer()], file.name, { type: file.type });
    format = await formatOf(file);
  } catch {
    throw new CallError("file_unreadable");
  }
  const { turn, file: shown } = format === "webp" ? await unturned(file) : { file };
  const bitmap = await openPicture(shown);
  if (!bitmap) return { file, width: 0, height: 0, note: "" };
  const { width, height } = bitmap;
  let scale = Math.min(1, LONGEST_SIDE / Math.max(width, height));
  if (scale === 1 && format && !turn && file.size <= maxBytes) {
    bitmap.close();
    return { file, width, height, note: `${width} × ${height}, ${megabytes(file.size)}, ${what} as it is.` };
  }
  let canvas = draw(bitmap, scale, turn);
  let blob = await encode(canvas);
  while (blob.size > maxBytes && canvas.width > 320) {
    scale *= 0.75;
    canvas = draw(bitmap, scale, turn);
    blob = await encode(canvas);
  }
  bitmap.close();
  const name = `${file.name.replace(/\.[^.]*$/, "") || "photo"}.jpg`;
  const done = scale < 1 ? "Made smaller" : "Turned into a JPEG";
  const note =
    `${done} here before it was ${what}: ${width} × ${height}, ${megabytes(file.size)} ` +
    `→ ${canvas.width} × ${canvas.height}, ${megabytes(blob.size)}.`;
  return { file: new File([blob], name, { type: "image/jpeg" }), width: canvas.width, height: canvas.height, note };
}

/** A small square from the middle of a picture, as a canvas, or null if the browser cannot open the file. */
export async function thumbnail(file, side) {
  const bitmap = await openPicture(file);
  if (!bitmap) return null;
  const canvas = cutOut(bitmap, bitmap.width / 2, bitmap.height / 2, Math.min(bitmap.width, bitmap.height), side);
  bitmap.close();
  return canvas;
}

/** The square around a face's box and a margin. `scale` is the image's size against the picture that the box is of. */
export function cutFace(image, { x, y, width, height }, scale, margin, side) {
  return cutOut(image, (x + width / 2) * scale, (y + height / 2) * scale, Math.max(width, height) * margin * scale, side);
}

/** The square of `size` pixels around a point of an image, drawn at `side` pixels. */
function cutOut(image, x, y, size, side) {
  const canvas = h("canvas", { width: side, height: side });
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, x - size / 2, y - size / 2, size, size, 0, 0, side, side);
  return canvas;
}
