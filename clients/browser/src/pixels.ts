/**
 * Resizing and warping with the results of OpenCV 5, within one level of 255. The canvas scales otherwise in each
 * browser, so nothing here uses it.
 */

import { rint } from "./numbers.js";

/** Rows of pixels with four channels (RGBA, opaque) or one (grey). A part of a larger picture shares its data. */
export interface Pixels {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 4;
  /** Index of the first pixel's first channel. */
  readonly offset: number;
  /** Values from one row to the next. */
  readonly stride: number;
}

/** What lies beyond the edge: black, the edge's pixels, or the picture mirrored without repeating the edge. */
export type Border = "black" | "replicate" | "reflect";

/** From target to source: `x' = m[0] x + m[1] y + m[2]`, `y' = m[3] x + m[4] y + m[5]`, by pixel centres. */
export type Affine = readonly [number, number, number, number, number, number];

export function pixelsOf(data: Pixels["data"], width: number, height: number, channels: 1 | 4 = 4): Pixels {
  return { data, width, height, channels, offset: 0, stride: width * channels };
}

const empty = (width: number, height: number, channels: 1 | 4): Pixels =>
  pixelsOf(new Uint8Array(width * height * channels), width, height, channels);

/** A rectangle of a picture, which shares its data. */
export function part(pixels: Pixels, x: number, y: number, width: number, height: number): Pixels {
  return { ...pixels, width, height, offset: pixels.offset + y * pixels.stride + x * pixels.channels };
}

/** The mean of each two by two pixels; an odd last row or column is left out. */
export function half(pixels: Pixels): Pixels {
  const { data, channels, stride } = pixels;
  const result = empty(pixels.width >> 1, pixels.height >> 1, channels);
  let to = 0;
  for (let y = 0; y < result.height; y++) {
    let from = pixels.offset + 2 * y * stride;
    for (let x = 0; x < result.width; x++, from += 2 * channels) {
      for (let c = from; c < from + channels; c++) {
        result.data[to++] = (data[c] + data[c + channels] + data[c + stride] + data[c + stride + channels] + 2) >> 2;
      }
    }
  }
  return result;
}

/** `cv2.INTER_AREA`: the mean of all that a target pixel covers, or linear where a side grows. */
export function resizeArea(pixels: Pixels, width: number, height: number): Pixels {
  if (width > pixels.width || height > pixels.height)
    return linear(pixels, areaTaps(pixels.width, width), areaTaps(pixels.height, height));
  if (pixels.width === 2 * width && pixels.height === 2 * height) return half(pixels);
  const columns = coverage(pixels.width, width);
  const rows = coverage(pixels.height, height);
  const { channels } = pixels;
  const result = empty(width, height, channels);
  const sums = new Float64Array(pixels.width * channels);
  for (let y = 0; y < height; y++) {
    sumRows(pixels, rows[y], sums);
    for (let x = 0; x < width; x++) {
      const { first, weights } = columns[x];
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let i = 0; i < weights.length; i++) sum += weights[i] * sums[(first + i) * channels + c];
        result.data[(y * width + x) * channels + c] = rint(sum);
      }
    }
  }
  return result;
}

interface Coverage {
  readonly first: number;
  readonly weights: Float64Array;
}

/** For each target pixel of a line: which source pixels it covers, and by which share of itself. */
function coverage(source: number, target: number): Coverage[] {
  const step = source / target;
  return Array.from({ length: target }, (_, at) => {
    const from = at * step;
    const to = Math.min(from + step, source);
    const first = Math.floor(from + 1e-9);
    const last = Math.max(Math.ceil(to - 1e-9), first + 1);
    const weights = Float64Array.from({ length: last - first }, (_, i) => {
      const pixel = first + i;
      return (Math.min(to, pixel + 1) - Math.max(from, pixel)) / (to - from);
    });
    return { first, weights };
  });
}

function sumRows(pixels: Pixels, { first, weights }: Coverage, sums: Float64Array): void {
  sums.fill(0);
  weights.forEach((weight, row) => {
    const from = pixels.offset + (first + row) * pixels.stride;
    for (let i = 0; i < sums.length; i++) sums[i] += weight * pixels.data[from + i];
  });
}

/** `cv2.INTER_LINEAR`. */
export function resizeLinear(pixels: Pixels, width: number, height: number): Pixels {
  if (pixels.width === width && pixels.height === height) return pixels;
  if (pixels.width === 2 * width && pixels.height === 2 * height) return half(pixels);
  return linear(pixels, linearTaps(pixels.width, width), linearTaps(pixels.height, height));
}

/** The two source pixels of each target pixel of a line, and their weights, which sum to 2048. */
interface Taps {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly weight: Int32Array;
}

const WEIGHT_SUM = 2048;

function linearTaps(source: number, target: number): Taps {
  const step = source / target;
  return taps(source, target, (at) => {
    const place = Math.fround((at + 0.5) * step - 0.5);
    const first = Math.floor(place);
    return [first, Math.fround(place - first)];
  });
}

/** What `cv2.INTER_AREA` takes where a side grows. */
function areaTaps(source: number, target: number): Taps {
  const step = source / target;
  return taps(source, target, (at) => {
    const first = Math.floor(at * step);
    const share = Math.fround(at + 1 - (first + 1) / step);
    return [first, share <= 0 ? 0 : Math.fround(share - Math.floor(share))];
  });
}

function taps(source: number, target: number, at: (target: number) => [first: number, share: number]): Taps {
  const result = { first: new Int32Array(target), second: new Int32Array(target), weight: new Int32Array(target) };
  for (let i = 0; i < target; i++) {
    let [first, share] = at(i);
    if (first < 0) [first, share] = [0, 0];
    if (first >= source - 1) [first, share] = [source - 1, 0];
    result.first[i] = first;
    result.second[i] = Math.min(first + 1, source - 1);
    result.weight[i] = rint(share * WEIGHT_SUM);
  }
  return result;
}

function linear(pixels: Pixels, columns: Taps, rows: Taps): Pixels {
  const result = empty(columns.first.length, rows.first.length, pixels.channels);
  const length = result.width * result.channels;
  const above = { row: -1, values: new Int32Array(length) };
  const below = { row: -1, values: new Int32Array(length) };
  for (let y = 0; y < result.height; y++) {
    fillRow(pixels, rows.first[y], columns, above);
    fillRow(pixels, rows.second[y], columns, below);
    const weight = rows.weight[y];
    const rest = WEIGHT_SUM - weight;
    const [a, b] = [above.values, below.values];
    for (let i = 0; i < length; i++) {
      result.data[y * length + i] = (((rest * (a[i] >> 4)) >> 16) + ((weight * (b[i] >> 4)) >> 16) + 2) >> 2;
    }
  }
  return result;
}

/** One source row, resized along itself, times 2048. */
function fillRow(pixels: Pixels, row: number, columns: Taps, target: { row: number; values: Int32Array }): void {
  if (target.row === row) return;
  target.row = row;
  const { data, channels } = pixels;
  const start = pixels.offset + row * pixels.stride;
  let to = 0;
  for (let x = 0; x < columns.first.length; x++) {
    const weight = columns.weight[x];
    const first = start + columns.first[x] * channels;
    const second = start + columns.second[x] * channels;
    for (let c = 0; c < channels; c++) {
      target.values[to++] = data[first + c] * (WEIGHT_SUM - weight) + data[second + c] * weight;
    }
  }
}

/** `cv2.warpAffine` with `INTER_LINEAR` and `WARP_INVERSE_MAP`, as packed RGB. */
export function warp(pixels: Pixels, from: Affine, width: number, height: number, border: Border): Uint8Array {
  const { data, stride } = pixels;
  const result = new Uint8Array(3 * width * height);
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 3) {
      const sx = from[0] * x + from[1] * y + from[2];
      const sy = from[3] * x + from[4] * y + from[5];
      const left = Math.floor(sx);
      const top = Math.floor(sy);
      const [across, down] = [sx - left, sy - top];
      if (left < 0 || top < 0 || left + 1 >= pixels.width || top + 1 >= pixels.height) {
        blendAtEdge(pixels, left, top, across, down, border, result, to);
        continue;
      }
      const at = pixels.offset + top * stride + 4 * left;
      for (let c = 0; c < 3; c++) {
        const i = at + c;
        const upper = data[i] + across * (data[i + 4] - data[i]);
        const lower = data[i + stride] + across * (data[i + stride + 4] - data[i + stride]);
        result[to + c] = rint(upper + down * (lower - upper));
      }
    }
  }
  return result;
}

function blendAtEdge(
  pixels: Pixels,
  left: number,
  top: number,
  across: number,
  down: number,
  border: Border,
  result: Uint8Array,
  to: number,
): void {
  const corners = [valueIndex(pixels, left, top, border), valueIndex(pixels, left + 1, top, border)];
  corners.push(valueIndex(pixels, left, top + 1, border), valueIndex(pixels, left + 1, top + 1, border));
  for (let c = 0; c < 3; c++) {
    const [a, b, d, e] = corners.map((index) => (index < 0 ? 0 : pixels.data[index + c]));
    const upper = a + across * (b - a);
    result[to + c] = rint(upper + down * (d + across * (e - d) - upper));
  }
}

/** Index of a pixel, or of the one that stands for it beyond the edge; below 0 for black. */
function valueIndex(pixels: Pixels, x: number, y: number, border: Border): number {
  if (border === "black") {
    if (x < 0 || y < 0 || x >= pixels.width || y >= pixels.height) return -1;
  } else {
    const within = border === "replicate" ? clamped : mirrored;
    x = within(x, pixels.width);
    y = within(y, pixels.height);
  }
  return pixels.offset + y * pixels.stride + x * pixels.channels;
}

const clamped = (at: number, length: number): number => Math.min(Math.max(at, 0), length - 1);

function mirrored(at: number, length: number): number {
  if (length === 1) return 0;
  const period = 2 * length - 2;
  const place = Math.abs(at) % period;
  return place < length ? place : period - place;
}

/** The pixels mirrored from left to right. */
export function flipped(pixels: Pixels): Pixels {
  const { width, height, channels } = pixels;
  const result = empty(width, height, channels);
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (let x = width - 1; x >= 0; x--) {
      const from = pixels.offset + y * pixels.stride + x * channels;
      for (let c = 0; c < channels; c++) result.data[to++] = pixels.data[from + c];
    }
  }
  return result;
}

/** The pixels with a border of one grey around them. */
export function surrounded(
  pixels: Pixels,
  top: number,
  bottom: number,
  left: number,
  right: number,
  grey: number,
): Pixels {
  if (!top && !bottom && !left && !right) return pixels;
  const { width, height, channels } = pixels;
  const result = empty(width + left + right, height + top + bottom, channels);
  result.data.fill(grey);
  for (let y = 0; y < height; y++) {
    const from = pixels.offset + y * pixels.stride;
    result.data.set(pixels.data.subarray(from, from + width * channels), (top + y) * result.stride + left * channels);
  }
  return result;
}

/** A plane for each colour, of at least this size, with black at the right and at the bottom. */
export function planes(pixels: Pixels, width: number, height: number): Uint8Array {
  const size = width * height;
  const result = new Uint8Array(3 * size);
  for (let y = 0; y < pixels.height; y++) {
    let from = pixels.offset + y * pixels.stride;
    let to = y * width;
    for (let x = 0; x < pixels.width; x++, from += 4, to++) {
      result[to] = pixels.data[from];
      result[to + size] = pixels.data[from + 1];
      result[to + 2 * size] = pixels.data[from + 2];
    }
  }
  return result;
}

/** `cv2.COLOR_RGB2GRAY` of one pixel. */
export const greyOf = (red: number, green: number, blue: number): number =>
  (9798 * red + 19235 * green + 3735 * blue + 16384) >> 15;

/** Every `step`th pixel of each row and column, as grey. */
export function greyPart(pixels: Pixels, step: number): Pixels {
  const { data } = pixels;
  const result = empty(Math.ceil(pixels.width / step), Math.ceil(pixels.height / step), 1);
  let to = 0;
  for (let y = 0; y < pixels.height; y += step) {
    let from = pixels.offset + y * pixels.stride;
    for (let x = 0; x < pixels.width; x += step, from += 4 * step) {
      result.data[to++] = greyOf(data[from], data[from + 1], data[from + 2]);
    }
  }
  return result;
}
