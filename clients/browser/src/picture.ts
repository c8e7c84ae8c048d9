/** From what a caller has to pixels, in the worker. */

import { EngineError } from "./errors.js";
import { pixelsOf, type Pixels } from "./pixels.js";
import type { SentPicture } from "./protocol.js";
import { unturned } from "./webp.js";

const LEAST_SIDE = 32;

/** What the EXIF orientations do to the axes: a, b, c and d of a canvas's transform. */
const TURNS: Readonly<Record<number, readonly [number, number, number, number]>> = {
  1: [1, 0, 0, 1],
  2: [-1, 0, 0, 1],
  3: [-1, 0, 0, -1],
  4: [1, 0, 0, -1],
  5: [0, 1, 1, 0],
  6: [0, 1, -1, 0],
  7: [0, -1, -1, 0],
  8: [0, -1, 1, 0],
};

/** Keeps its canvas and its memory, so that frames of the same size take none of their own. Its pixels last until the next picture. */
export class PictureReader {
  readonly #mostPixels: number;
  #canvas: OffscreenCanvas | undefined;
  #copy = new Uint8Array();

  constructor(mostPixels: number) {
    this.#mostPixels = mostPixels;
  }

  /** The pixels as a person sees them: upright, transparency over white. Closes bitmaps and frames, which are copies. */
  async read(picture: SentPicture): Promise<Pixels> {
    if (picture instanceof ImageData) {
      this.#check(picture.width, picture.height);
      return pixelsOf(overWhite(picture.data), picture.width, picture.height);
    }
    const { file, orientation } = picture instanceof Blob ? await unturned(picture) : { file: picture, orientation: 1 };
    const drawable = file instanceof Blob ? await bitmapOf(file) : file;
    try {
      const copied = drawable instanceof ImageBitmap ? null : await this.#copied(drawable);
      return copied ?? this.#drawn(drawable, orientation);
    } finally {
      drawable.close();
    }
  }

  /** The pixels of a frame, or null where the browser cannot give them as they are shown. */
  async #copied(frame: VideoFrame): Promise<Pixels | null> {
    const { displayWidth: width, displayHeight: height, visibleRect } = frame;
    this.#check(width, height);
    const turned = "rotation" in frame && (frame.rotation !== 0 || ("flip" in frame && frame.flip));
    if (turned || visibleRect?.width !== width || visibleRect.height !== height) return null;
    const layout = { format: "RGBA" } as const;
    try {
      const size = frame.allocationSize(layout);
      if (size !== 4 * width * height) return null;
      if (this.#copy.length !== size) this.#copy = new Uint8Array(size);
      await frame.copyTo(this.#copy, layout);
    } catch {
      return null;
    }
    // Drawing would do, but Chromium keeps the memory of each frame that was drawn.
    return pixelsOf(overWhite(this.#copy), width, height);
  }

  #drawn(picture: ImageBitmap | VideoFrame, orientation: number): Pixels {
    const [across, down] =
      picture instanceof ImageBitmap ? [picture.width, picture.height] : [picture.displayWidth, picture.displayHeight];
    const [width, height] = orientation < 5 ? [across, down] : [down, across];
    this.#check(width, height);
    if (this.#canvas?.width !== width || this.#canvas.height !== height)
      this.#canvas = new OffscreenCanvas(width, height);
    const context = this.#canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    if (!context) throw new EngineError("invalid_image", "This browser has no memory left for the picture.");
    context.fillStyle = "white";
    context.fillRect(0, 0, width, height);
    const [a, b, c, d] = TURNS[orientation]!;
    context.setTransform(a, b, c, d, a + c < 0 ? width : 0, b + d < 0 ? height : 0);
    context.drawImage(picture, 0, 0);
    context.resetTransform();
    return pixelsOf(context.getImageData(0, 0, width, height).data, width, height);
  }

  #check(width: number, height: number): void {
    const size = `${width} x ${height}`;
    if (Math.min(width, height) < LEAST_SIDE) {
      throw new EngineError(
        "image_too_small",
        `The picture has ${size} pixels; a face needs at least ${LEAST_SIDE} on a side.`,
      );
    }
    if (width * height > this.#mostPixels) {
      throw new EngineError(
        "image_too_large",
        `The picture has ${size} pixels; the limit is ${this.#mostPixels.toLocaleString("en")} in total.`,
      );
    }
  }
}

async function bitmapOf(blob: Blob): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(blob, { colorSpaceConversion: "none" });
  } catch (cause) {
    throw new EngineError("invalid_image", "This file is no picture that the browser reads, or it is damaged.", {
      cause,
    });
  }
}

/** The pixels over white, where some are transparent. */
function overWhite(data: Pixels["data"]): Pixels["data"] {
  let opaque = true;
  for (let i = 3; opaque && i < data.length; i += 4) opaque = data[i] === 255;
  if (opaque) return data;
  const result = new Uint8ClampedArray(data.length);
  for (let i = 0; i < data.length; i++) {
    const alpha = data[i | 3] / 255;
    result[i] = data[i] * alpha + 255 * (1 - alpha);
  }
  return result;
}
