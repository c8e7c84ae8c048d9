import { readFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { afterEach, beforeEach, describe, expect, inject, it, vi } from "vitest";
import { Visage, VisageError, type BatchItem } from "../src/index.js";
import { BATCH_KEY, KEY } from "./service.js";

const SAMPLES = new URL("../../../sample_images/", import.meta.url);
const happy = await readFile(new URL("happy_sample.jpg", SAMPLES));
const faceless = await readFile(new URL("no_face.jpg", SAMPLES));

const visage = new Visage({ url: inject("open") });
const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A server that stands for what may lie between: a proxy, a captive portal, a service that wakes up. */
async function between(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("No address.");
  return `http://127.0.0.1:${address.port}`;
}

async function failure(call: Promise<unknown>): Promise<VisageError> {
  const error = await call.then(() => null, (reason: unknown) => reason);
  expect(error).toBeInstanceOf(VisageError);
  return error as VisageError;
}

describe("predictions", () => {
  it.each([
    ["bytes", happy],
    ["a blob", new Blob([happy])],
    ["a file", new File([happy], "me.jpg", { type: "image/jpeg" })],
    ["an array buffer", new Uint8Array(happy).buffer],
  ])("takes %s", async (_, picture) => {
    const result = await visage.predict(picture, { faces: "all", explain: "grid" });
    expect(result.emotion).toBe("happy");
    expect(result.faces).toHaveLength(1);
    expect(result.explanation).toHaveProperty("grid");
  });

  it("compares models and reads data URLs", async () => {
    const comparison = await visage.compare(happy, { models: "default,accurate" });
    expect(comparison.models.map((model) => model.model.name)).toEqual(["default", "accurate"]);
    const analysis = await visage.analyzeFacial(`data:image/jpeg;base64,${happy.toString("base64")}`);
    expect(analysis.dominant_emotion).toBe("happy");
  });

  it("sums up a series, and joins what other services found", async () => {
    const frames = [0, 1, 2].map((t) => ({ t, probabilities: { happy: 0.9, neutral: 0.1 }, face_detected: true }));
    const summary = await visage.session({ frames });
    expect(summary.tracks[0]).toMatchObject({ track: 1, frames: 3 });
    const image = `data:image/jpeg;base64,${happy.toString("base64")}`;
    const fused = await visage.multimodal({ image, voice: { emotions: { happy: 1 } } });
    expect(fused.dominant_emotion).toBe("happy");
    expect(await failure(visage.multimodal({}))).toMatchObject({ code: "invalid_request", status: 422 });
  });

  it("sends many pictures in slices and numbers them through", async () => {
    const { limits } = await visage.labels();
    const count = limits.max_batch_files + 2;
    const pictures = Array.from({ length: count }, (_, index) => (index === 1 ? faceless : happy));
    const items: BatchItem[] = [];
    for await (const item of visage.predictBatch(pictures)) items.push(item);
    expect(items.map((item) => item.index)).toEqual([...Array(count).keys()]);
    expect(items.filter((item) => !item.success)).toMatchObject([{ index: 1, error: "no_face_detected" }]);
    expect(await visage.predictBatch([]).next()).toEqual({ done: true, value: undefined });
  });

  it("sends no more pictures at once than the service's rate allows", async () => {
    const batches = new Visage({ url: inject("guarded"), apiKey: BATCH_KEY, maxWait: 1 });
    const items: BatchItem[] = [];
    const error = await failure((async () => {
      for await (const item of batches.predictBatch([happy, happy, happy])) items.push(item);
    })());
    expect(items.map((item) => item.index)).toEqual([0, 1]);
    // Two a minute: the third would have to wait for longer than a second.
    expect(error).toMatchObject({ code: "rate_limited", status: 429 });
  });

  it("goes on with as many pictures at once as the rate has left", async () => {
    const sizes: number[] = [];
    const remaining = [2, 0, 3, 3];
    const url = await between(async (request, response) => {
      let body = "";
      for await (const chunk of request.setEncoding("latin1")) body += chunk;
      const size = body.match(/name="files"/g)?.length ?? 0;
      if (size > 0) sizes.push(size);
      const limits = { max_batch_files: 5, max_batch_size_mb: 1 };
      const results = Array.from({ length: size }, (_, index) => ({ index, success: false }));
      response.setHeader("X-RateLimit-Remaining", remaining.shift() ?? 0);
      response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ limits, results }));
    });
    const items: BatchItem[] = [];
    for await (const item of new Visage({ url }).predictBatch(Array(8).fill(new Uint8Array(1)))) items.push(item);
    expect(sizes).toEqual([2, 1, 3, 2]);
    expect(items.map((item) => item.index)).toEqual([...Array(8).keys()]);
  });

  it("describes the service", async () => {
    expect((await visage.info()).default_model).toBe("default");
    expect((await visage.models()).models.length).toBeGreaterThan(0);
    expect((await visage.health()).status).toBe("ok");
  });
});

describe("errors", () => {
  it("has the service's code, message, status and request id", async () => {
    const error = await failure(visage.predict(faceless));
    expect(error).toMatchObject({ code: "no_face_detected", status: 422, retryAfter: undefined });
    expect(error.message).toMatch(/face/);
    expect(error.requestId).toMatch(/^[0-9a-f]{32}$/);
    expect(await failure(visage.predict(new Uint8Array([1, 2, 3])))).toMatchObject({ code: "unsupported_media_type", status: 415 });
    expect(await failure(visage.predict(happy, { model: "nowhere" }))).toMatchObject({ code: "model_not_found", status: 404 });
    expect(await failure(visage.predict(new Uint8Array(6e6).fill(255)))).toMatchObject({ code: "file_too_large", status: 413 });
  });

  it("says that a key is missing or wrong", async () => {
    const url = inject("guarded");
    expect(await failure(new Visage({ url }).predict(happy))).toMatchObject({ code: "unauthorized", status: 401 });
    expect(await failure(new Visage({ url, apiKey: "wrong" }).predict(happy))).toMatchObject({ code: "unauthorized" });
  });

  it("says when a rate is used up, after a wait that is too long", async () => {
    const guarded = new Visage({ url: inject("guarded"), apiKey: KEY, maxWait: 1 });
    await guarded.predict(happy);
    await guarded.predict(happy);
    const error = await failure(guarded.predict(happy));
    expect(error).toMatchObject({ code: "rate_limited", status: 429 });
    expect(error.retryAfter).toBeGreaterThan(1);
  });

  it("repeats what was refused for now", async () => {
    let requests = 0;
    const url = await between((request, response) => {
      request.resume().on("end", () => {
        requests++;
        response.writeHead(requests < 3 ? 503 : 200, { "Content-Type": "application/json", "Retry-After": "0" });
        response.end(JSON.stringify(requests < 3 ? { success: false, error: "not_ready", message: "Wait.", request_id: "1" } : { status: "ok" }));
      });
    });
    expect(await new Visage({ url }).health()).toEqual({ status: "ok" });
    requests = 0;
    expect(await failure(new Visage({ url, retries: 1 }).info())).toMatchObject({ code: "not_ready", status: 503, retryAfter: 0 });
    expect(requests).toBe(2);
  });

  it("tells a proxy's page from the service", async () => {
    const page = (status: number): RequestListener => (request, response) => {
      request.resume();
      response.writeHead(status, { "Content-Type": "text/html" }).end("<html>Sign in</html>");
    };
    for (const status of [200, 502]) {
      const client = new Visage({ url: await between(page(status)) });
      expect(await failure(client.predict(happy))).toMatchObject({ code: "unexpected_response", status });
      expect(await failure(client.health())).toMatchObject({ code: "unexpected_response", status });
    }
  });

  it("says that nothing is there, or that it takes too long", async () => {
    expect(await failure(new Visage({ url: "http://127.0.0.1:9" }).info())).toMatchObject({ code: "unreachable", status: 0 });
    const silent = await between((_, response) => void response.write(" "));
    expect(await failure(new Visage({ url: silent, timeout: 0.1 }).info())).toMatchObject({ code: "no_response" });
  });

  it("takes a timeout that no timer can keep", async () => {
    expect(await new Visage({ url: inject("open"), timeout: Infinity }).labels()).toHaveProperty("labels");
  });

  it("says that the device is offline", async () => {
    vi.stubGlobal("navigator", { onLine: false });
    try {
      const error = await failure(new Visage({ url: "http://127.0.0.1:9" }).predict(happy));
      expect(error).toMatchObject({ code: "offline", status: 0 });
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it("keeps the reason of an abort", async () => {
    const stopped = AbortSignal.abort(new Error("Not wanted."));
    await expect(visage.predict(happy, { signal: stopped })).rejects.toThrow("Not wanted.");
    const url = await between((request, response) => {
      request.resume();
      response.writeHead(503, { "Retry-After": "20" }).end();
    });
    const controller = new AbortController();
    const call = new Visage({ url }).predict(happy, { signal: controller.signal });
    setTimeout(() => controller.abort(new Error("Too slow.")), 100);
    await expect(call).rejects.toThrow("Too slow.");
  });
});

describe("in React Native up to 0.81", () => {
  const reason = Object.getOwnPropertyDescriptor(AbortSignal.prototype, "reason")!;
  const { throwIfAborted } = AbortSignal.prototype;

  beforeEach(() => {
    Reflect.deleteProperty(AbortSignal.prototype, "reason");
    Reflect.deleteProperty(AbortSignal.prototype, "throwIfAborted");
  });
  afterEach(() => {
    Object.defineProperty(AbortSignal.prototype, "reason", reason);
    AbortSignal.prototype.throwIfAborted = throwIfAborted;
  });

  /** It has no `body`, and its bytes cannot be read. */
  const responding = async () =>
    ({
      status: 200,
      statusText: "OK",
      headers: new Headers({ "Content-Type": "application/json" }),
      text: async () => '{"emotion": "glücklich"}',
      arrayBuffer: () => Promise.reject(new Error("FileReader.readAsArrayBuffer is not implemented")),
    }) as unknown as Response;

  it("reads responses as text", async () => {
    const client = new Visage({ url: "http://service", fetch: responding });
    expect(await client.predict(happy)).toEqual({ emotion: "glücklich" });
  });

  it("aborts without the signal's reason", async () => {
    const client = new Visage({ url: "http://service", fetch: responding });
    await expect(client.predict(happy, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
  });
});
