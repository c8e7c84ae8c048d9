/** The engine's worker: does what the page calls, one call at a time, in their order. */

import { EngineError } from "./errors.js";
import { load, type Progress } from "./load.js";
import type { LoadedEngine } from "./loaded-engine.js";
import type { Call, Calls, Reply } from "./protocol.js";

type Works = {
  [Name in keyof Calls]: (value: Parameters<Calls[Name]>[0], progress: Progress) => ReturnType<Calls[Name]>;
};

let engine: LoadedEngine;

const works: Works = {
  async load(options, progress) {
    const loaded = await load(options, progress);
    engine = loaded.engine;
    return loaded.info;
  },
  predict: (request) => engine.predict(request),
  openStream: async (request) => engine.openStream(request),
  frame: (request) => engine.frame(request),
  closeStream: async (stream) => engine.closeStream(stream),
};

async function reply(call: Call): Promise<void> {
  const send = (message: Reply) => self.postMessage(message);
  const { id } = call;
  try {
    const work = works[call.call] as (value: unknown, progress: Progress) => Promise<unknown>;
    send({ id, result: await work(call.value, (loaded, total) => send({ id, progress: [loaded, total] })) });
  } catch (error) {
    const { code, message } = error instanceof EngineError ? error : unexpected(error);
    send({ id, error: { code, message } });
  }
}

function unexpected(error: unknown): EngineError {
  const reason = error instanceof Error ? error.message : String(error);
  return new EngineError("internal_error", `The engine failed: ${reason}`);
}

let last: Promise<void> = Promise.resolve();
self.addEventListener("message", ({ data }: MessageEvent<Call>) => {
  last = last.then(() => reply(data));
});
