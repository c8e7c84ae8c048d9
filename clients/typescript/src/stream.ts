import type { components } from "./asyncapi.js";
import { unexpected, VisageError, type ServiceErrorCode } from "./errors.js";

type Schemas = components["schemas"];

export type StreamStarted = Schemas["Started"];
export type FramePrediction = Schemas["FramePrediction"];
export type TrackedFace = Schemas["TrackedFace"];
export type SessionEvent = Schemas["LevelEvent"] | Schemas["SpikeEvent"];
export type SessionSummary = Schemas["SessionSummary"];

export type StreamState = "connecting" | "open" | "waiting" | "closed";

export interface StreamEvents {
  /** A connection is open. After a reconnection it comes again: the session starts anew. */
  started: StreamStarted;
  prediction: FramePrediction;
  /** A spike or a change of level of the profile. */
  event: SessionEvent;
  /** A frame or message that could not be used, or why the stream has ended: then its state is `closed`. */
  error: VisageError;
  /** What the session came to. It comes before every orderly end, also where the service ended it. */
  summary: SessionSummary;
  state: StreamState;
  /** The service can take another frame: earlier ones are read or passed over. */
  ready: undefined;
}

/** What the stream takes as query parameters, and how this client behaves. */
export interface StreamOptions extends Partial<Schemas["StreamQuery"]> {
  /** Returns a token of your own server; see `createTokenHandler`. A service without keys needs none. */
  token?: () => Promise<string>;
  /** How often to connect anew, one after the other without success. The default is 5. */
  reconnections?: number;
  /** Frames under way at most. The default is 2: one that is read, and one that waits. */
  framesUnderWay?: number;
}

export interface StreamConnection {
  url: string;
  token: (() => Promise<string>) | undefined;
  WebSocket: typeof WebSocket | undefined;
}

const LOST = 1006;
/** Codes of a close after which the same stream may be opened again: lost, restarting, no room. */
const TEMPORARY = new Set([1005, LOST, 1011, 1012, 1013]);
/** Milliseconds after which a frame of which nothing is said is taken for one beyond the client's rate, which is passed over. */
const SILENCE = 2000;
const FIRST_WAIT = 0.5;
const LONGEST_WAIT = 15;

/** Frames to predictions over one WebSocket, which is opened anew where it is lost. */
export class VisageStream {
  readonly #connection: StreamConnection;
  readonly #options: StreamOptions;
  readonly #listeners = new Map<keyof StreamEvents, Set<(value: never) => void>>();
  #socket: WebSocket | undefined;
  #state: StreamState = "connecting";
  #sent = 0;
  #settled = 0;
  #interval = 0;
  #pause: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #error: VisageError | undefined;
  #told: VisageError | undefined;
  #summarised = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #end: Promise<SessionSummary> | undefined;
  #ending: { resolve: (summary: SessionSummary) => void; reject: (error: VisageError) => void } | undefined;

  constructor(connection: StreamConnection, options: StreamOptions) {
    this.#connection = connection;
    this.#options = options;
    // Listeners that are added now hear the first connection.
    queueMicrotask(() => void this.#connect());
  }

  get state(): StreamState {
    return this.#state;
  }

  /** Whether `send` would send now. */
  get ready(): boolean {
    const underWay = this.#sent - this.#settled;
    return this.#state === "open" && this.#pause === undefined && underWay < (this.#options.framesUnderWay ?? 2);
  }

  /**
   * Calls the listener at each such event. Returns a function that ends this. A listener of `ready` is also called
   * soon where the stream is ready already: it may have opened before.
   */
  on<Name extends keyof StreamEvents>(name: Name, listener: (value: StreamEvents[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    if (name === "ready" && this.ready) {
      queueMicrotask(() => {
        if (listeners.has(listener) && this.ready) listener(undefined as StreamEvents[Name]);
      });
    }
    return () => void listeners.delete(listener);
  }

  /**
   * Sends an encoded picture, which `t` seconds belong to (default: the time of its arrival). Returns false and sends
   * nothing while earlier frames are under way or the service's rate is reached: a frame that is late is worth nothing, so
   * take a newer one at `ready`.
   */
  send(frame: Blob | ArrayBuffer | Uint8Array, t?: number): boolean {
    if (!this.ready || !this.#socket) return false;
    if (t !== undefined) this.#socket.send(JSON.stringify({ type: "time", t }));
    this.#socket.send(frame as Blob);
    const number = this.#sent++;
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      if (this.ready) this.#emit("ready", undefined);
    }, this.#interval);
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#settle(number), SILENCE);
    return true;
  }

  /** Ends the session and returns its summary. A further call returns the same promise. */
  end(): Promise<SessionSummary> {
    this.#end ??= new Promise((resolve, reject) => {
      if (this.#state !== "open" || !this.#socket) {
        this.close();
        reject(this.#error ?? new VisageError("stream_closed", "The stream is not open."));
        return;
      }
      this.#ending = { resolve, reject };
      this.#socket.send(JSON.stringify({ type: "end" }));
    });
    return this.#end;
  }

  /** Closes the stream at once, without a summary. */
  close(): void {
    clearTimeout(this.#timer);
    this.#rest();
    this.#setState("closed");
    this.#socket?.close(1000);
    this.#fail(new VisageError("stream_closed", "The stream was closed."));
  }

  async #connect(): Promise<void> {
    if (this.#state === "closed") return;
    this.#setState("connecting");
    try {
      const token = await this.#connection.token?.();
      if (this.#closed()) return;
      const Socket = this.#connection.WebSocket ?? globalThis.WebSocket;
      if (Socket === undefined) throw new Error("This environment has no WebSocket: give one to the client.");
      const socket = new Socket(this.#connection.url, token ? ["visage.v1", `visage.key.${token}`] : ["visage.v1"]);
      this.#socket = socket;
      socket.addEventListener("message", ({ data }) => this.#receive(socket, data as string));
      // A close follows, which says all that is known. Without a listener, an error in Node would be nobody's.
      socket.addEventListener("error", () => {});
      socket.addEventListener("close", ({ code }) => this.#closedBy(socket, code));
    } catch (error) {
      const failure = error instanceof VisageError ? error : new VisageError("unreachable", (error as Error).message, { cause: error });
      this.#tell(failure);
      // A wrong key stays wrong.
      if (failure.status === 401 || failure.status === 403) this.#finish(failure);
      else this.#connectLater(failure.retryAfter, failure);
    }
  }

  #receive(socket: WebSocket, data: string): void {
    if (socket !== this.#socket || this.#closed()) return;
    const message = parsed(data);
    if (message === undefined) {
      this.#tell(unexpected({}));
      return;
    }
    if (message.type === "started") {
      this.#sent = this.#settled = this.#failures = 0;
      this.#interval = 1000 / message.limits.frames_per_second;
      this.#error = undefined;
      this.#summarised = false;
      this.#setState("open");
      this.#emit("started", message);
      this.#emit("ready", undefined);
    } else if (message.type === "prediction") {
      this.#error = undefined;
      this.#emit("prediction", message);
      this.#settle(message.frame);
    } else if (message.type === "error") {
      const { error, message: text, request_id: requestId, retry_after: retryAfter } = message;
      this.#error = new VisageError(error as ServiceErrorCode, text, { requestId, retryAfter });
      this.#tell(this.#error);
      if (message.frame !== undefined) this.#settle(message.frame);
    } else if (message.type === "summary") {
      this.#summarised = true;
      this.#emit("summary", message);
      this.#ending?.resolve(message);
      this.#ending = undefined;
    } else {
      this.#emit("event", message);
    }
  }

  #settle(frame: number): void {
    if (frame < this.#settled) return;
    this.#settled = frame + 1;
    if (this.ready) this.#emit("ready", undefined);
  }

  #rest(): void {
    clearTimeout(this.#pause);
    clearTimeout(this.#silence);
    this.#pause = undefined;
  }

  #closedBy(socket: WebSocket, code: number): void {
    if (socket !== this.#socket || this.#closed()) return;
    this.#socket = undefined;
    this.#rest();
    const reason = this.#error ?? (code === LOST && this.#state !== "open" ? unreachable() : closedWith(code));
    if (TEMPORARY.has(code) && this.#end === undefined) this.#connectLater(this.#error?.retryAfter, reason);
    else this.#finish(reason);
  }

  #connectLater(seconds: number | undefined, reason: VisageError): void {
    if (this.#failures >= (this.#options.reconnections ?? 5)) {
      this.#finish(reason);
      return;
    }
    // Clients that were cut off together do not come back together.
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failures) * (0.5 + Math.random() / 2);
    this.#failures++;
    this.#setState("waiting");
    this.#timer = setTimeout(() => void this.#connect(), Math.max(wait, seconds ?? 0) * 1000);
  }

  #finish(reason: VisageError): void {
    this.#setState("closed");
    if (reason !== this.#told && !this.#summarised) this.#tell(reason);
    this.#fail(reason);
  }

  #tell(error: VisageError): void {
    this.#told = error;
    this.#emit("error", error);
  }

  #fail(reason: VisageError): void {
    this.#ending?.reject(reason);
    this.#ending = undefined;
  }

  #closed(): boolean {
    return this.#state === "closed";
  }

  #setState(state: StreamState): void {
    if (this.#state === state || this.#state === "closed") return;
    this.#state = state;
    this.#emit("state", state);
  }

  #emit<Name extends keyof StreamEvents>(name: Name, value: StreamEvents[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) listener(value as never);
  }
}

function unreachable(): VisageError {
  return new VisageError("unreachable", "The service cannot be reached.");
}

function closedWith(code: number): VisageError {
  return new VisageError("stream_closed", `The connection was lost (code ${code}).`);
}

type Message = StreamStarted | FramePrediction | SessionEvent | SessionSummary | Schemas["StreamError"];

const TYPES = new Set(["started", "prediction", "event", "error", "summary"]);

function parsed(data: string): Message | undefined {
  try {
    const message: unknown = JSON.parse(data);
    const known = typeof message === "object" && message !== null && "type" in message && TYPES.has(message.type as string);
    return known ? (message as Message) : undefined;
  } catch {
    return undefined;
  }
}
