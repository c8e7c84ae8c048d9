/** The networks, run by ONNX Runtime in WebAssembly. */

import * as ort from "onnxruntime-web/wasm";
import { EngineError } from "./errors.js";

export type Input = readonly [data: Uint8Array | Float32Array, shape: readonly number[]];

export interface Output {
  readonly values: Float32Array;
  readonly shape: readonly number[];
}

export class Network {
  readonly #session: ort.InferenceSession;

  private constructor(session: ort.InferenceSession) {
    this.#session = session;
  }

  /** `more` are tensors of the graph that are to be among its outputs. */
  static async load(model: Uint8Array, name: string, more: readonly string[] = []): Promise<Network> {
    try {
      const graph = more.reduce(withOutput, model);
      return new Network(await ort.InferenceSession.create(graph, { executionProviders: ["wasm"] }));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new EngineError("model_rejected", `${name} cannot be run in this browser: ${reason}`, { cause });
    }
  }

  /** Runs a network that has one input, whatever its name. Gives the outputs with their shapes. */
  runOne(input: Input, outputs: readonly string[]): Promise<Output[]> {
    return this.#outputs({ [this.#session.inputNames[0]]: input }, outputs);
  }

  /** The values of the outputs of these names, in their order. */
  async run(inputs: Readonly<Record<string, Input>>, outputs: readonly string[]): Promise<Float32Array[]> {
    return (await this.#outputs(inputs, outputs)).map(({ values }) => values);
  }

  async #outputs(inputs: Readonly<Record<string, Input>>, outputs: readonly string[]): Promise<Output[]> {
    const tensors = Object.entries(inputs).map(([name, [data, shape]]) => [name, tensor(data, shape)] as const);
    const results = await this.#session.run(Object.fromEntries(tensors), [...outputs]);
    return outputs.map((name) => ({ values: results[name].data as Float32Array, shape: results[name].dims }));
  }
}

/**
 * The model with one more of its tensors among its outputs. Protobuf merges repeated messages, so appending a second
 * graph (field 7) with one output (12) of a name (1) does it.
 */
function withOutput(model: Uint8Array, name: string): Uint8Array {
  let message = [...new TextEncoder().encode(name)];
  for (const field of [1, 12, 7]) message = [(field << 3) | 2, ...varint(message.length), ...message];
  const whole = new Uint8Array(model.length + message.length);
  whole.set(model);
  whole.set(message, model.length);
  return whole;
}

const varint = (number: number): number[] =>
  number < 0x80 ? [number] : [(number & 0x7f) | 0x80, ...varint(number >> 7)];

const tensor = (data: Uint8Array | Float32Array, shape: readonly number[]): ort.Tensor =>
  data instanceof Uint8Array ? new ort.Tensor("uint8", data, shape) : new ort.Tensor("float32", data, shape);

/** ONNX Runtime's own files. Bundlers look for exactly this form. */
const FILES = {
  mjs: new URL("./ort-wasm-simd-threaded.mjs", import.meta.url),
  wasm: new URL("./ort-wasm-simd-threaded.wasm", import.meta.url),
};

/** Says how many threads the runtime has, and where its files are. Takes effect once, before the first network. */
export function prepareRuntime(threads: number, files = FILES): void {
  ort.env.logLevel = "error";
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = files;
}
