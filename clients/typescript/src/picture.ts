import { webpOrientation } from "./webp.js";

/** A picture on its way to the service. React Native names a file by its address. */
export type Picture = Blob | ArrayBuffer | Uint8Array | NativeFile;

export interface NativeFile {
  uri: string;
  name: string;
  type: string;
}

export interface Size {
  width: number;
  height: number;
  bytes: number;
}

/** A picture that was made smaller before it was sent. Coordinates in results are those of the smaller one. */
export interface Scaled {
  from: Size;
  to: Size;
}

export interface ScaleOptions {
  /** The longest side that is sent, in pixels. */
  longestSide?: number;
  /** The most bytes that are sent. */
  maxBytes?: number;
}

export const LONGEST_SIDE = 2048;
const MAX_BYTES = 4 * 1024 * 1024;
const QUALITY = 0.9;
/** A file of fewer bytes is sent without looking at it. */
const SMALL_FILE = 256 * 1024;
const SMALLEST_SIDE = 320;

/** Whether this environment can decode and draw pictures, as browsers and their workers can. */
export const canScale = (): boolean => typeof createImageBitmap === "function" && typeof OffscreenCanvas === "function";

/**
 * Makes a picture smaller where it is larger than what the service needs to find faces. Returns what to send, with
 * `scaled` where something was changed. A picture that is small enough, or that this environment cannot decode, stays as
 * it is, byte for byte, as does a WebP that has to be turned, which browsers do not agree on.
 */
export async function scaleDown(picture: Blob, options: ScaleOptions = {}): Promise<{ picture: Blob; scaled?: Scaled }> {
  const { longestSide = LONGEST_SIDE, maxBytes = MAX_BYTES } = options;
  if (!canScale() || picture.size <= Math.min(SMALL_FILE, maxBytes)) return { picture };
  if ((await webpOrientation(picture)) !== 1) return { picture };
  const bitmap = await createImageBitmap(picture, { imageOrientation: "from-image" }).catch(() => null);
  if (bitmap === null) return { picture };
  try {
    const { width, height } = bitmap;
    let scale = Math.min(1, longestSide / Math.max(width, height));
    if (scale === 1 && picture.size <= maxBytes) return { picture };
    let smaller = await draw(bitmap, scale);
    while (smaller.bytes > maxBytes && smaller.width > SMALLEST_SIDE) {
      scale *= 0.75;
      smaller = await draw(bitmap, scale);
    }
    const { blob, ...to } = smaller;
    const name = picture instanceof File ? picture.name.replace(/\.[^.]*$/, "") : "picture";
    const file = new File([blob], `${name}.jpg`, { type: "image/jpeg" });
    return { picture: file, scaled: { from: { width, height, bytes: picture.size }, to } };
  } finally {
    bitmap.close();
  }
}

async function draw(bitmap: ImageBitmap, scale: number): Promise<Size & { blob: Blob }> {
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("This environment has no canvas to draw on.");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
  return { blob, width, height, bytes: blob.size };
}

/** Adds a picture to a form under the name of a file. */
export function append(form: FormData, field: string, picture: Picture): void {
  if (isNativeFile(picture)) {
    // React Native's FormData takes such an object in place of a blob.
    form.append(field, picture as unknown as Blob);
  } else {
    const blob = picture instanceof Blob ? picture : new Blob([picture as BlobPart]);
    form.append(field, blob, picture instanceof File ? picture.name : "picture");
  }
}

export function isNativeFile(picture: Picture): picture is NativeFile {
  return "uri" in picture;
}

/** The size of a picture in bytes, 0 where only React Native knows it. */
export function bytesOf(picture: Picture): number {
  if (picture instanceof Blob) return picture.size;
  return isNativeFile(picture) ? 0 : picture.byteLength;
}
