/** The networks, run by ONNX Runtime in WebAssembly. */

import * as ort from "onnxruntime-web/wasm";
import { EngineError } from "./errors.js";

export type Input = readonly [data: Uint8Array | Float32Array, shape: readonly number[]];

export class Network {
  readonly #session: ort.InferenceSession;

  private constructor(session: ort.InferenceSession) {
    this.#session = session;
  }

  static async load(model: Uint8Array, name: string): Promise<Network> {
    try {
      return new Network(await ort.InferenceSession.create(model, { executionProviders: ["wasm"] }));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new EngineError("model_rejected", `${name} cannot be run in this browser: ${reason}`, { cause });
    }
  }

  /** Runs a network that has one input, whatever its name. */
  runOne(input: Input, outputs: readonly string[]): Promise<Float32Array[]> {
    return this.run({ [this.#session.inputNames[0]]: input }, outputs);
  }

  /** The outputs of these names, in their order. */
  async run(inputs: Readonly<Record<string, Input>>, outputs: readonly string[]): Promise<Float32Array[]> {
    const tensors = Object.entries(inputs).map(([name, [data, shape]]) => [name, tensor(data, shape)] as const);
    const results = await this.#session.run(Object.fromEntries(tensors), [...outputs]);
    return outputs.map((name) => results[name].data as Float32Array);
  }
}

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
