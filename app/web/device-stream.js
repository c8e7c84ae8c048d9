/** A stream that is read on this device: what `Stream` is for the service. */

import { device } from "./on-device.js";
import { summarise } from "./session-summary.js";

const LATENCY_WEIGHT = 0.15;
/** Errors after which no frame can be read. */
const LASTING = new Set(["engine_closed", "worker_failed", "details_unavailable", "model_file_missing", "model_file_unreachable", "model_file_mismatch"]);

/** `source` has its `video` and `time()` in seconds. Tells with events: `started`, `prediction`, and `fatal`. */
export class DeviceStream extends EventTarget {
  figures = { read: 0, skipped: 0, failed: 0, latency: 0 };
  #source;
  #query;
  #labels = [];
  #stream = null;
  #stopped = false;

  constructor(source, { faces, details = [] }) {
    super();
    this.#source = source;
    this.#query = { faces, details };
  }

  async run() {
    let engine;
    try {
      engine = await device.load();
    } catch (error) {
      if (!this.#stopped) this.#tell("fatal", error);
      return;
    }
    if (this.#stopped) return;
    this.#labels = engine.info.labels;
    this.#tell("started", { labels: this.#labels });
    this.#stream = engine.stream(this.#source.video, (prediction) => this.#take(prediction), { ...this.#query, onError: (error) => this.#fail(error) });
  }

  /** Ends the session. Resolves to the summary of what `log` has. */
  async finish(log) {
    this.stop();
    return summarise(log.frames, this.#labels, this.figures);
  }

  stop() {
    this.#stopped = true;
    this.#stream?.close();
    this.#stream = null;
  }

  #take(prediction) {
    const { figures } = this;
    const took = prediction.timings_ms.total;
    figures.read += 1;
    figures.skipped += prediction.skipped;
    figures.latency = figures.latency ? figures.latency + (took - figures.latency) * LATENCY_WEIGHT : took;
    this.#tell("prediction", { ...prediction, t: this.#source.time() });
  }

  #fail(error) {
    this.figures.failed += 1;
    if (LASTING.has(error.code) && !this.#stopped) this.#tell("fatal", device.failure(error));
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
