/** The stream of the service: opens it, sends frames at a pace that it can follow, and opens it again when it was lost. */

import { address, CallError, hasKey, streamToken } from "./api.js";

const PROTOCOL = "visage.v1";
/** Frames that are on their way at the same time: one that is read, and one that waits. */
const MOST_UNANSWERED = 2;
/** After so long without a word, frames that have no answer count as passed over. */
const SILENT_MS = 1500;
const [FASTEST_MS, SLOWEST_MS] = [66, 2000];
const MOST_BUFFERED = 512 * 1024;
const SUMMARY_MS = 8000;
const [FIRST_WAIT_S, LONGEST_WAIT_S] = [1, 15];
const LATENCY_WEIGHT = 0.15;

/** Errors after which another try would end in the same way. */
const LASTING = new Set(["unauthorized", "forbidden", "invalid_request", "model_not_found", "not_found"]);

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/**
 * `source` has `ready()`, `time()` in seconds and `frame()`, a promise of a JPEG. Tells with events: `started`,
 * `prediction`, `event`, `waiting` (until the next try, with the error), `fatal` (an error that lasts).
 */
export class Stream extends EventTarget {
  /** What was measured, over all connections. */
  figures = { read: 0, skipped: 0, failed: 0, latency: 0 };
  /** How many connections there were. */
  connections = 0;
  #source;
  #query;
  #socket = null;
  #sent = [];
  #told = 0;
  #lastWord = 0;
  #interval = FASTEST_MS;
  #fastest = FASTEST_MS;
  #tries = 0;
  #error = null;
  #stopped = false;
  #summary = null;
  #onSummary = null;

  constructor(source, query) {
    super();
    this.#source = source;
    this.#query = query;
  }

  /** Keeps a connection until `finish` or `stop`, or until an error that lasts. */
  async run() {
    while (!this.#stopped) {
      // A video that is paused needs no connection.
      if (!this.#source.ready()) {
        await pause(100);
        continue;
      }
      try {
        await this.#connection();
      } catch (error) {
        this.#error = error;
      }
      if (this.#stopped) return;
      if (LASTING.has(this.#error?.code)) {
        this.#stopped = true;
        this.#tell("fatal", this.#error);
        return;
      }
      await this.#wait();
    }
  }

  /** Ends the session. Resolves to the summary of the one connection that there was, or null. */
  async finish() {
    const socket = this.#socket;
    if (!this.#stopped && socket?.readyState === WebSocket.OPEN && this.connections === 1) {
      const summary = new Promise((done) => (this.#onSummary = done));
      this.#stopped = true;
      socket.send(JSON.stringify({ type: "end" }));
      await Promise.race([summary, pause(SUMMARY_MS)]);
    }
    this.stop();
    return this.connections === 1 ? this.#summary : null;
  }

  stop() {
    this.#stopped = true;
    this.#socket?.close();
    this.#socket = null;
  }

  async #connection() {
    const protocols = [PROTOCOL];
    if (hasKey()) protocols.push(`visage.key.${(await streamToken()).token}`);
    if (this.#stopped) return;
    const url = address("stream", this.#query);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = (this.#socket = new WebSocket(url, protocols));
    this.#sent = [];
    this.#told = 0;
    await new Promise((done) => {
      socket.addEventListener("message", ({ data }) => this.#take(socket, JSON.parse(data)));
      socket.addEventListener("close", () => {
        this.#onSummary?.();
        done();
      });
    });
    if (this.#socket === socket) this.#socket = null;
  }

  #take(socket, message) {
    this.#lastWord = performance.now();
    if (message.type === "started") this.#start(socket, message);
    else if (message.type === "prediction") this.#answered(message, "read");
    else if (message.type === "event") this.#tell("event", message);
    else if (message.type === "summary") {
      this.#summary = message;
      this.#onSummary?.();
    } else if (message.type === "error") {
      if (message.frame !== undefined) this.#answered(message, "failed");
      this.#error = new CallError(message.error, {
        message: message.message,
        retryAfter: message.retry_after ?? null,
        requestId: message.request_id,
      });
    }
  }

  #start(socket, message) {
    this.connections += 1;
    this.#tries = 0;
    this.#error = null;
    this.#fastest = Math.max(FASTEST_MS, 1050 / message.limits.frames_per_second);
    this.#interval = Math.max(this.#interval, this.#fastest);
    this.#tell("started", message);
    this.#pump(socket);
  }

  /** Sends frames for as long as the socket is open. */
  async #pump(socket) {
    while (socket.readyState === WebSocket.OPEN && !this.#stopped) {
      const began = performance.now();
      if (this.#source.ready() && this.#mayGo(socket)) {
        const frame = await this.#source.frame();
        if (socket.readyState !== WebSocket.OPEN || this.#stopped) return;
        socket.send(JSON.stringify({ type: "time", t: this.#source.time() }));
        socket.send(frame);
        this.#sent.push(performance.now());
      }
      await pause(Math.max(this.#interval - (performance.now() - began), 4));
    }
  }

  #mayGo(socket) {
    const unanswered = this.#sent.length - this.#told;
    if (unanswered < MOST_UNANSWERED) return socket.bufferedAmount < MOST_BUFFERED;
    if (performance.now() - Math.max(this.#sent.at(-1), this.#lastWord) < SILENT_MS) return false;
    this.#told = this.#sent.length;
    this.#pace(2);
    return true;
  }

  /** Notes what came of a frame, and finds the pace: slower after frames that were passed over, else a little faster. */
  #answered(message, what) {
    const took = performance.now() - this.#sent[message.frame];
    this.#told = Math.max(this.#told, message.frame + 1);
    this.#pace(message.skipped ? 1.5 : 0.97);
    const figures = this.figures;
    figures[what] += 1;
    figures.skipped += message.skipped;
    figures.latency = figures.latency ? figures.latency + (took - figures.latency) * LATENCY_WEIGHT : took;
    if (what !== "read") return;
    this.#error = null;
    this.#tell("prediction", message);
  }

  #pace(factor) {
    this.#interval = Math.min(Math.max(this.#interval * factor, this.#fastest), SLOWEST_MS);
  }

  /** Waits until the next try: for as long as the service said, or longer each time. */
  async #wait() {
    const seconds = this.#error?.retryAfter ?? Math.min(FIRST_WAIT_S * 2 ** this.#tries, LONGEST_WAIT_S);
    this.#tries += 1;
    const until = performance.now() + seconds * 1000;
    while (!this.#stopped && performance.now() < until) {
      if (this.#source.ready()) this.#tell("waiting", { error: this.#error, seconds: Math.ceil((until - performance.now()) / 1000) });
      await pause(200);
    }
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
