/** The worker of an engine, and the calls that wait for it. */

import { EngineError } from "./errors.js";
import type { Calls, Reply } from "./protocol.js";

interface Waiting {
  readonly resolve: (result: never) => void;
  readonly reject: (reason: unknown) => void;
  readonly progress: ((loaded: number, total: number) => void) | undefined;
}

const FAILED = "The engine's worker could not be loaded, or it failed. See workerUrl.";

export class Connection {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #closed: { reason: unknown } | undefined;
  #calls = 0;

  constructor(workerUrl: string | URL | undefined) {
    try {
      // Bundlers look for exactly this form of the default.
      this.#worker = workerUrl
        ? new Worker(workerUrl, { type: "module" })
        : new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    } catch (cause) {
      // It is of another origin, or no address.
      throw new EngineError("worker_failed", FAILED, { cause });
    }
    this.#worker.addEventListener("message", ({ data }: MessageEvent<Reply>) => this.#take(data));
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.close(new EngineError("worker_failed", FAILED));
    });
  }

  call<Name extends keyof Calls>(
    name: Name,
    value: Parameters<Calls[Name]>[0],
    transfer: Transferable[] = [],
    progress?: Waiting["progress"],
  ): ReturnType<Calls[Name]> {
    const result = new Promise<never>((resolve, reject) => {
      if (this.#closed) throw this.#closed.reason;
      const id = ++this.#calls;
      this.#send({ id, call: name, value }, transfer);
      this.#waiting.set(id, { resolve, reject, progress });
    });
    return result as ReturnType<Calls[Name]>;
  }

  close(reason: unknown): void {
    if (this.#closed) return;
    this.#closed = { reason };
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }

  #send(call: object, transfer: Transferable[]): void {
    try {
      this.#worker.postMessage(call, transfer);
    } catch (cause) {
      const reason = "it comes from another origin, or it is closed";
      throw new EngineError("invalid_image", `The page may not read this picture: ${reason}.`, { cause });
    }
  }

  #take(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    if (!waiting) return;
    if ("progress" in reply) {
      waiting.progress?.(...reply.progress);
      return;
    }
    this.#waiting.delete(reply.id);
    if ("error" in reply) waiting.reject(new EngineError(reply.error.code, reply.error.message));
    else waiting.resolve(reply.result as never);
  }
}
