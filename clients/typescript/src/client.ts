import createFetchClient, { type Client as FetchClient } from "openapi-fetch";
import { errorOf, unexpected, VisageError } from "./errors.js";
import type { components, operations, paths } from "./openapi.js";
import { append, bytesOf, canScale, isNativeFile, scaleDown, type Picture, type Scaled } from "./picture.js";
import { VisageStream, type StreamOptions } from "./stream.js";
import { transport } from "./transport.js";

type Schemas = components["schemas"];

export type PredictionResult = Schemas["PredictionResult"];
export type PredictedFace = Schemas["PredictedFace"];
export type ComparisonResult = Schemas["ComparisonResult"];
export type AnalysisResult = Schemas["AnalysisResult"];
export type BatchItem = Schemas["BatchResult"]["results"][number];
export type Info = Schemas["Info"];
export type Labels = Schemas["Labels"];
export type Models = Schemas["Models"];
export type Health = Schemas["Health"];
export type Stats = Schemas["Stats"];

type Query<Name extends keyof operations> = NonNullable<operations[Name]["parameters"]["query"]>;

type Body<Name extends "analyze_session" | "analyze_multimodal"> = operations[Name]["requestBody"]["content"]["application/json"];
type Result<Name extends keyof operations> = operations[Name] extends {
  responses: { 200: { content: { "application/json": infer Json extends object } } };
}
  ? Json
  : never;

export type SessionSeries = Body<"analyze_session">;
export type SessionResult = Result<"analyze_session">;
export type MultimodalParts = Body<"analyze_multimodal">;
export type MultimodalResult = Result<"analyze_multimodal">;

export interface ClientOptions {
  /** The address of the service, such as `https://visage.example.org`. */
  url: string;
  /** An API key. Only for programs on a server: a key that reaches a browser is public. */
  apiKey?: string;
  headers?: Record<string, string>;
  fetch?: typeof fetch;
  /** How often a request that was refused with `Retry-After` is sent again. The default is 2. */
  retries?: number;
  /** The longest wait for such a repetition, in seconds. The default is 30. */
  maxWait?: number;
  /** The longest time for a response, in seconds. The default is 60. */
  timeout?: number;
  /** A WebSocket for environments that have none of their own, such as Node 20: the package `ws` has one. */
  WebSocket?: typeof WebSocket;
  /** The longest side of pictures that are sent; larger ones are made smaller in a browser. `false` sends all as they are. */
  scale?: number | false;
  /** Is told of each picture that was made smaller. */
  onScaled?: (scaled: Scaled) => void;
}

export interface CallOptions {
  signal?: AbortSignal;
}

/** What the routes take as query parameters, under their own names. */
export type PredictOptions = CallOptions & Query<"predict">;
export type BatchOptions = CallOptions & Query<"predict_batch">;
export type CompareOptions = CallOptions & Query<"compare">;
export type MultimodalOptions = CallOptions & Query<"analyze_multimodal">;
export type AnalyzeOptions = CallOptions & Query<"analyze_facial">;

/** Results come as text: openapi-fetch's own error for what is no JSON has no status. */
type Init = { parseAs: "text"; signal?: AbortSignal };

/** Calls the routes of one service. It holds no connection and may be kept for as long as the program runs. */
export class Visage {
  readonly #fetch: FetchClient<paths>;
  readonly #scale: number | false;
  readonly #onScaled: (scaled: Scaled) => void;
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    const { url, apiKey, headers, fetch = globalThis.fetch, retries = 2, maxWait = 30, timeout = 60 } = options;
    this.#options = options;
    this.#scale = options.scale ?? 2048;
    this.#onScaled = options.onScaled ?? (() => {});
    this.#fetch = createFetchClient<paths>({
      baseUrl: url.replace(/\/+$/, ""),
      headers: { ...headers, ...(apiKey && { "X-API-Key": apiKey }) },
      fetch: transport({ fetch: fetch.bind(globalThis), retries, maxWait, timeout }),
    });
  }

  /** Predicts the apparent expression in a picture. */
  async predict(picture: Picture, options: PredictOptions = {}): Promise<PredictionResult> {
    const { signal, ...query } = options;
    const body = await this.#form("file", [picture]);
    return data(this.#fetch.POST("/predict", { params: { query }, ...body, ...init(signal) }));
  }

  /**
   * Predicts the expressions in any number of pictures, in as few requests as the service's limits allow. Items come in
   * order with their `index` among all pictures; one that failed has `success: false`. A request that fails as a whole throws.
   */
  async *predictBatch(pictures: Iterable<Picture>, options: BatchOptions = {}): AsyncGenerator<BatchItem, void, undefined> {
    const { signal, ...query } = options;
    const labels = this.#fetch.GET("/labels", init(signal));
    const { limits } = await data<Labels>(labels);
    let files = allowedFiles(limits.max_batch_files, (await labels).response);
    let sent = 0;
    for await (const slice of this.#slices(pictures, () => files, limits.max_batch_size_mb * 1024 * 1024)) {
      const body = await this.#form("files", slice, false);
      const call = this.#fetch.POST("/predict/batch", { params: { query }, ...body, ...init(signal) });
      const { results } = await data<Schemas["BatchResult"]>(call);
      files = allowedFiles(limits.max_batch_files, (await call).response);
      for (const item of results) yield { ...item, index: sent + item.index };
      sent += slice.length;
    }
  }

  /** Shows a picture to several models. */
  async compare(picture: Picture, options: CompareOptions = {}): Promise<ComparisonResult> {
    const { signal, ...query } = options;
    const body = await this.#form("file", [picture]);
    return data(this.#fetch.POST("/predict/compare", { params: { query }, ...body, ...init(signal) }));
  }

  /** Predicts the expression in a picture that is base64 or a data URL already. */
  async analyzeFacial(image: string, options: AnalyzeOptions = {}): Promise<AnalysisResult> {
    const { signal, ...query } = options;
    return data(this.#fetch.POST("/analyze/facial", { params: { query }, body: { image }, ...init(signal) }));
  }

  /** Sums up a series of predictions, as a stream with these frames would have ended. */
  async session(series: SessionSeries, options: CallOptions = {}): Promise<SessionResult> {
    return data(this.#fetch.POST("/analyze/session", { body: series, ...init(options.signal) }));
  }

  /** Joins a picture with the results of a voice and a text service. At least one of the three is needed. */
  async multimodal(parts: MultimodalParts, options: MultimodalOptions = {}): Promise<MultimodalResult> {
    const { signal, ...query } = options;
    return data(this.#fetch.POST("/analyze/multimodal", { params: { query }, body: parts, ...init(signal) }));
  }

  /** Opens a stream: frames in, predictions and a summary out. */
  stream(options: StreamOptions = {}): VisageStream {
    const { token, reconnections: _, framesUnderWay: __, ...query } = options;
    const { url, apiKey, WebSocket } = this.#options;
    // React Native's URL can neither be changed nor relied on to leave an address as it is.
    const base = /^\w+:/.test(url) ? url : new URL(url, globalThis.location?.href).href;
    const address = base.replace(/^http/i, "ws").replace(/\/+$/, "");
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const parameters = given.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
    const search = parameters.length > 0 ? `?${parameters.join("&")}` : "";
    const ownToken = apiKey === undefined ? undefined : () => this.#token();
    return new VisageStream({ url: `${address}/stream${search}`, token: token ?? ownToken, WebSocket }, options);
  }

  /** What the service is: its models, limits, levels and the notice on its use. */
  async info(options: CallOptions = {}): Promise<Info> {
    return data(this.#fetch.GET("/info", init(options.signal)));
  }

  /** Labels, levels, thresholds and limits, in a few bytes. */
  async labels(options: CallOptions = {}): Promise<Labels> {
    return data(this.#fetch.GET("/labels", init(options.signal)));
  }

  async models(options: CallOptions = {}): Promise<Models> {
    return data(this.#fetch.GET("/models", init(options.signal)));
  }

  /** Totals since the start of the service. */
  async stats(options: CallOptions = {}): Promise<Stats> {
    return data(this.#fetch.GET("/stats", init(options.signal)));
  }

  /** How the service is. A service that cannot take requests says so in the result; only one that is not there throws. */
  async health(options: CallOptions = {}): Promise<Health> {
    const { data: text, error, response } = await this.#fetch.GET("/health", init(options.signal));
    const result = (response.ok ? parsed(text) : error) as Health | undefined;
    if (typeof result !== "object" || result === null || !("status" in result)) throw errorOf(response, result);
    return result;
  }

  async #token(): Promise<string> {
    const { token } = await data<Schemas["Token"]>(this.#fetch.POST("/stream/token", init(undefined)));
    return token;
  }

  async #form(field: string, pictures: readonly Picture[], scale = true) {
    const form = new FormData();
    for (const picture of pictures) append(form, field, scale ? await this.#scaled(picture) : picture);
    // The form is the whole body: openapi-fetch types it by its fields.
    return { body: form as never, bodySerializer: () => form };
  }

  async #scaled(picture: Picture, maxBytes?: number): Promise<Picture> {
    if (this.#scale === false || !canScale() || isNativeFile(picture)) return picture;
    const blob = picture instanceof Blob ? picture : new Blob([picture as BlobPart]);
    const limit = maxBytes === undefined ? {} : { maxBytes };
    const { picture: smaller, scaled } = await scaleDown(blob, { longestSide: this.#scale, ...limit });
    if (scaled) this.#onScaled(scaled);
    return smaller;
  }

  /** Pictures in slices that fit one request. */
  async *#slices(pictures: Iterable<Picture>, files: () => number, bytes: number): AsyncGenerator<Picture[]> {
    let slice: Picture[] = [];
    let size = 0;
    for (const picture of pictures) {
      const smaller = await this.#scaled(picture);
      // The form's own lines take some bytes a file.
      const more = bytesOf(smaller) + 512;
      if (slice.length > 0 && (slice.length >= files() || size + more > bytes)) {
        yield slice;
        slice = [];
        size = 0;
      }
      slice.push(smaller);
      size += more;
    }
    if (slice.length > 0) yield slice;
  }
}

function init(signal: AbortSignal | undefined): Init {
  return { parseAs: "text", ...(signal && { signal }) };
}

/** Files that the next batch may hold: the service refuses a whole batch of more than the client's rate has left. */
function allowedFiles(most: number, response: Response): number {
  const remaining = Number.parseInt(response.headers.get("X-RateLimit-Remaining") ?? "", 10);
  return Number.isNaN(remaining) ? most : Math.min(most, Math.max(1, remaining));
}

interface Settled {
  data?: unknown;
  error?: unknown;
  response: Response;
}

/** What is in a text of JSON, undefined where it is none. */
function parsed(text: unknown): unknown {
  try {
    return JSON.parse(text as string);
  } catch {
    return undefined;
  }
}

/** The result of a call, of the document's own type: openapi-fetch's loses the lengths of tuples. */
async function data<Result extends object>(call: Promise<Settled>): Promise<Result> {
  const { data: text, error, response } = await call;
  if (!response.ok) throw errorOf(response, error);
  const result = parsed(text);
  if (typeof result !== "object" || result === null) throw unexpected({ status: response.status });
  return result as Result;
}

export { VisageError };
