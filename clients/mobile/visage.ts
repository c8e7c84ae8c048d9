/**
 * One face of a picture to the probabilities of its labels, for apps: see docs/mobile.md. It has no dependency. ONNX
 * Runtime's classes are given to it, from `onnxruntime-react-native` or any other of its packages.
 */

/** Upright pixels, RGBA. */
export interface Picture {
  readonly data: ArrayLike<number>;
  readonly width: number;
  readonly height: number;
}

/** The detector's input, and where it lies in the picture: its corner, and the picture's pixels a pixel. */
export interface Input {
  readonly data: Uint8Array;
  readonly columns: number;
  readonly rows: number;
  readonly scale: number;
  readonly left: number;
  readonly top: number;
}

/** A face in pixels of the picture. Its landmarks are those that docs/mobile.md lists. */
export interface Face {
  readonly score: number;
  readonly width: number;
  readonly landmarks: readonly Point[];
}

export type Point = readonly [x: number, y: number];

/** What of a manifest in engine.json is used. */
export interface Manifest {
  readonly labels: readonly string[];
  readonly input: { readonly width: number; readonly scale: number; readonly mean: number; readonly std: number };
  readonly face: { readonly eye_distance: number; readonly eye_center: readonly number[] };
  readonly output: { readonly tensor: string; readonly temperature: number; readonly entropy_exponent: number };
}

export interface Session {
  readonly inputNames: readonly string[];
  run(inputs: Record<string, never>, outputs: readonly string[]): Promise<Record<string, { readonly data: unknown }>>;
}

export interface TensorClass {
  new (type: "uint8", data: Uint8Array, shape: readonly number[]): unknown;
  new (type: "float32", data: Float32Array, shape: readonly number[]): unknown;
}

export interface Visage {
  /** A session with the file of `detector.near`. */
  readonly near: Session;
  /** A session with the file of `models[0]`, and its manifest. */
  readonly model: Session;
  readonly manifest: Manifest;
  readonly Tensor: TensorClass;
}

/** The probability of each label for the best face of a picture, or null where there is none. */
export async function predict({ near, model, manifest, Tensor }: Visage, picture: Picture): Promise<Record<string, number> | null> {
  const input = detectorInput(picture);
  const image = new Tensor("uint8", input.data, [1, input.rows, input.columns, 3]);
  const grids = await near.run({ image: image as never }, ["fine", "coarse"]);
  const face = bestFace(grids["fine"]!.data as Float32Array, grids["coarse"]!.data as Float32Array, input);
  if (!face) return null;
  const size = manifest.input.width;
  const pixels = new Tensor("float32", crop(picture, face, manifest), [1, 1, size, size]);
  const { tensor } = manifest.output;
  const outputs = await model.run({ [model.inputNames[0]!]: pixels as never }, [tensor]);
  const probabilities = calibrated(outputs[tensor]!.data as Float32Array, manifest.output);
  return Object.fromEntries(manifest.labels.map((label, i) => [label, probabilities[i]!]));
}

/** The detector's input: the picture at a longer side of 128, in the middle, with black around it. */
export function detectorInput(picture: Picture): Input {
  let small = picture;
  while (Math.max(small.width, small.height) >= 512) small = halved(small);
  const step = Math.max(small.width, small.height) / 128;
  const [columns, rows] = [small.width, small.height].map((side) => 16 * Math.ceil(side / step / 16)) as [number, number];
  const [left, top] = [(small.width - columns * step) / 2, (small.height - rows * step) / 2];
  const data = new Uint8Array(3 * rows * columns);
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [Math.floor(i / 3) % columns, Math.floor(i / 3 / columns)];
    data[i] = Math.round(bilinear(small, x * step + left, y * step + top, i % 3, false));
  }
  const larger = picture.width / small.width;
  return { data, columns, rows, scale: step * larger, left: left * larger, top: top * larger };
}

/** The best face of the detector's outputs; null where no score reaches a half. */
export function bestFace(fine: Float32Array, coarse: Float32Array, input: Input): Face | null {
  const found: { score: number; numbers: number[] }[] = [];
  for (const [grid, stride, anchors] of [[fine, 8, 2], [coarse, 16, 6]] as const) {
    const across = input.columns / stride;
    const cells = (across * input.rows) / stride;
    for (let k = 0; k < anchors * cells; k++) {
      if (grid[k]! < 0) continue;
      const [anchor, cell] = [Math.floor(k / cells), k % cells];
      const middle = [((cell % across) + 0.5) * stride, (Math.floor(cell / across) + 0.5) * stride];
      const numbers = Array.from({ length: 16 }, (_, i) => {
        const value = grid[(anchors + 16 * anchor + i) * cells + cell]!;
        return i === 2 || i === 3 ? value : value + middle[i % 2]!;
      });
      found.push({ score: 1 / (1 + Math.exp(-grid[k]!)), numbers });
    }
  }
  if (!found.length) return null;
  const best = found.reduce((one, other) => (other.score > one.score ? other : one));
  const same = found.filter((each) => overlap(each.numbers, best.numbers) > 0.3);
  const total = same.reduce((sum, each) => sum + each.score, 0);
  const mean = best.numbers.map((_, i) => same.reduce((sum, each) => sum + each.score * each.numbers[i]!, 0) / total);
  const point = (k: number): Point => [mean[k]! * input.scale + input.left, mean[k + 1]! * input.scale + input.top];
  return { score: best.score, width: mean[2]! * input.scale, landmarks: [4, 6, 8, 10, 12, 14].map(point) };
}

function overlap([ax, ay, aw, ah]: number[], [bx, by, bw, bh]: number[]): number {
  const shared = (a: number, b: number, c: number, d: number) => Math.max(0, Math.min(a + b / 2, c + d / 2) - Math.max(a - b / 2, c - d / 2));
  const both = shared(ax!, aw!, bx!, bw!) * shared(ay!, ah!, by!, bh!);
  return both / (aw! * ah! + bw! * bh! - both);
}

/** The model's input: the face as grey values, each the mean of as many places as the picture is larger than the crop. */
export function crop(p: Picture, face: Face, { face: framing, input }: Manifest): Float32Array {
  const size = input.width;
  const [[rx, ry], [lx, ly]] = face.landmarks as [Point, Point];
  const side = Math.max(Math.hypot(lx - rx, ly - ry), 0.2 * face.width) / framing.eye_distance;
  const roll = Math.atan2(ly - ry, lx - rx);
  const step = side / size;
  const n = Math.max(1, Math.round(step));
  const value = (x: number, y: number): number => {
    const [across, down] = [x * step - framing.eye_center[0]! * side, y * step - framing.eye_center[1]! * side];
    const u = (rx + lx) / 2 + across * Math.cos(roll) - down * Math.sin(roll) - 0.5;
    const v = (ry + ly) / 2 + across * Math.sin(roll) + down * Math.cos(roll) - 0.5;
    const [r, g, b] = [0, 1, 2].map((channel) => bilinear(p, u, v, channel, true)) as [number, number, number];
    return (9798 * r + 19235 * g + 3735 * b) / 32768;
  };
  return Float32Array.from({ length: size * size }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < n * n; k++) sum += value((i % size) + ((k % n) + 0.5) / n, Math.floor(i / size) + (Math.floor(k / n) + 0.5) / n);
    return (Math.round(sum / (n * n)) * input.scale - input.mean) / input.std;
  });
}

/** The probabilities of the labels. */
export function calibrated(logits: ArrayLike<number>, { temperature, entropy_exponent }: Manifest["output"]): number[] {
  const softmax = (values: number[]): number[] => {
    const odds = values.map((value) => Math.exp(value - Math.max(...values)));
    return odds.map((each) => each / odds.reduce((sum, other) => sum + other, 0));
  };
  const raw = Array.from(logits);
  const entropy = softmax(raw).reduce((sum, p) => sum - (p ? p * Math.log(p) : 0), 0) / Math.log(raw.length);
  const sharpened = temperature * Math.max(entropy, 0.15) ** entropy_exponent;
  return softmax(raw.map((logit) => logit / sharpened));
}

/** Half as many pixels each way, each the mean of four. */
function halved(p: Picture): Picture {
  const [width, height] = [p.width >> 1, p.height >> 1];
  const data = new Uint8Array(4 * width * height);
  for (let i = 0; i < data.length; i++) {
    const from = 4 * (2 * Math.floor(i / 4 / width) * p.width + 2 * ((i >> 2) % width)) + (i & 3);
    data[i] = (p.data[from]! + p.data[from + 4]! + p.data[from + 4 * p.width]! + p.data[from + 4 * p.width + 4]! + 2) >> 2;
  }
  return { data, width, height };
}

/** One channel of a place between four pixels. Beyond the edge: mirrored, or black. */
function bilinear(p: Picture, x: number, y: number, channel: number, mirror: boolean): number {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const at = (i: number, j: number): number => {
    const [u, v] = [reflected(i, p.width), reflected(j, p.height)];
    return !mirror && (u !== i || v !== j) ? 0 : p.data[4 * (v * p.width + u) + channel]!;
  };
  const [across, down] = [x - left, y - top];
  const upper = at(left, top) + across * (at(left + 1, top) - at(left, top));
  const lower = at(left, top + 1) + across * (at(left + 1, top + 1) - at(left, top + 1));
  return upper + down * (lower - upper);
}

function reflected(i: number, length: number): number {
  const place = Math.abs(i) % Math.max(2 * length - 2, 1);
  return place < length ? place : 2 * length - 2 - place;
}
