import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { scaleDown } from "../src/picture.js";

const bytes = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

const little = (orientation: number) => bytes(`II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0${String.fromCharCode(orientation)}\0\0\0\0\0\0\0`);
const big = (orientation: number) => bytes(`MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0${String.fromCharCode(orientation)}\0\0\0\0\0\0`);

function chunk(name: string, data: Uint8Array): Uint8Array[] {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, data.length, true);
  return [bytes(name), length, data, new Uint8Array(data.length % 2)];
}

/** A WebP as far as it is looked at. It is large enough to be made smaller. */
function webp(exif: Uint8Array): Blob {
  const chunks = [chunk("VP8X", Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0, 0, 0)), chunk("VP8 ", new Uint8Array(300_001)), chunk("EXIF", exif)];
  return new Blob([bytes("RIFF\0\0\0\0WEBP"), ...chunks.flat()] as BlobPart[]);
}

beforeEach(() => {
  vi.stubGlobal("createImageBitmap", async () => ({ width: 4000, height: 3000, close() {} }));
  const Canvas = class {
    getContext = () => ({ fillRect() {}, drawImage() {} });
    convertToBlob = async () => new Blob(["smaller"]);
  };
  vi.stubGlobal("OffscreenCanvas", Canvas);
});
afterEach(() => void vi.unstubAllGlobals());

it.each([
  ["a WebP that is upright", webp(little(1))],
  ["a WebP whose EXIF says nothing", webp(bytes("nothing"))],
  ["another file", new Blob([new Uint8Array(300_000)])],
])("makes %s smaller", async (_, picture) => {
  expect((await scaleDown(picture)).scaled).toMatchObject({ to: { width: 2048, height: 1536 } });
});

it.each([
  ["", little(6)],
  [", the bytes in the other order", big(3)],
  [", after the mark of a JPEG", Uint8Array.of(...bytes("Exif\0\0"), ...little(8))],
])("leaves a WebP that has to be turned to the service%s", async (_, exif) => {
  const picture = webp(exif);
  expect((await scaleDown(picture)).picture).toBe(picture);
});
