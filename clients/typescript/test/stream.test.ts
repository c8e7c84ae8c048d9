import { readFile } from "node:fs/promises";
import { afterEach, describe, expect, inject, it, vi } from "vitest";
import { WebSocketServer, WebSocket as NodeSocket } from "ws";
import { Visage, VisageError, type FramePrediction, type StreamOptions, type VisageStream } from "../src/index.js";
import { STREAM_KEY } from "./service.js";

const happy = await readFile(new URL("../../../sample_images/happy_sample.jpg", import.meta.url));
const WebSocket = NodeSocket as unknown as typeof globalThis.WebSocket;
const streams: VisageStream[] = [];
const servers: WebSocketServer[] = [];

afterEach(() => {
  vi.unstubAllGlobals();
  for (const stream of streams.splice(0)) stream.close();
  for (const server of servers.splice(0)) {
    for (const client of server.clients) client.terminate();
    server.close();
  }
});

function open(url: string, options: StreamOptions = {}, apiKey?: string): VisageStream {
  const stream = new Visage({ url, WebSocket, ...(apiKey && { apiKey }) }).stream(options);
  streams.push(stream);
  return stream;
}

const once = <Name extends Parameters<VisageStream["on"]>[0]>(stream: VisageStream, name: Name) =>
  new Promise<never>((resolve) => stream.on(name, resolve as never));

async function closed(stream: VisageStream): Promise<void> {
  while (stream.state !== "closed") await once(stream, "state");
}

describe("with the service", () => {
  it("sends frames as they are wanted, and gets predictions and the summary", async () => {
    const stream = open(inject("open"), { faces: "all" });
    expect(stream.send(happy)).toBe(false);
    const predictions: FramePrediction[] = [];
    const errors: VisageError[] = [];
    stream.on("prediction", (prediction) => predictions.push(prediction));
    stream.on("error", (error) => errors.push(error));
    let time = 0;
    await new Promise<void>((done) => {
      stream.on("ready", () => {
        while (time < 5 && stream.send(new Blob([happy]), time)) time += 1;
        if (time === 5 && predictions.length + skipped(predictions) === 5) done();
      });
    });
    const summary = await stream.end();
    expect(predictions[0]!.faces[0]).toMatchObject({ track: 1, emotion: "happy" });
    expect(summary).toMatchObject({ reason: "end", frames: { received: 5, failed: 0 } });
    await closed(stream);
    expect(errors).toEqual([]);
  });

  it("calls a listener of ready that comes after the stream has opened", async () => {
    const stream = open(inject("open"));
    await once(stream, "started");
    await once(stream, "ready");
    expect(stream.send(happy)).toBe(true);
    let calls = 0;
    stream.on("ready", () => calls++)();
    await once(stream, "prediction");
    expect(calls).toBe(0);
  });

  it("keeps going after a frame that is no picture", async () => {
    const stream = open(inject("open"));
    await once(stream, "started");
    const error = once(stream, "error") as Promise<VisageError>;
    stream.send(new Uint8Array([1, 2, 3]));
    expect(await error).toMatchObject({ code: "unsupported_media_type" });
    await once(stream, "ready");
    const prediction = once(stream, "prediction") as Promise<FramePrediction>;
    stream.send(happy);
    expect((await prediction).frame).toBe(1);
  });

  it("gets its own token with a key, and says that a key is wrong", async () => {
    const stream = open(inject("guarded"), {}, STREAM_KEY);
    await once(stream, "started");
    expect(await stream.end()).toMatchObject({ frames: { received: 0 } });
    const wrong = open(inject("guarded"), {}, "wrong");
    expect(await (once(wrong, "error") as Promise<VisageError>)).toMatchObject({ code: "unauthorized", status: 401 });
    await expect(wrong.end()).rejects.toBeInstanceOf(VisageError);
  });
});

describe("the address", () => {
  /** The address of the stream of a client. */
  async function addressOf(url: string, options: object = {}): Promise<string> {
    return new Promise<string>((resolve) => {
      class Noted extends EventTarget {
        constructor(url: string) {
          super();
          resolve(url);
        }
        close() {}
      }
      streams.push(new Visage({ url, WebSocket: Noted as unknown as typeof globalThis.WebSocket }).stream(options));
    });
  }

  it("has what is given, and nothing of what is undefined", async () => {
    expect(await addressOf("http://service/", { faces: undefined })).toBe("ws://service/stream");
    const options = { faces: "all", details: "mesh,head_pose", model: undefined };
    expect(await addressOf("https://service/visage", options)).toBe("wss://service/visage/stream?faces=all&details=mesh%2Chead_pose");
  });

  it("is that of the page where the client's is relative", async () => {
    vi.stubGlobal("location", { href: "https://example.org/live?a=b" });
    expect(await addressOf("/api/visage")).toBe("wss://example.org/api/visage/stream");
  });

  it("needs no URL that can be changed, which React Native's cannot", async () => {
    const Fixed = class {
      get protocol() {
        return "http:";
      }
    };
    vi.stubGlobal("URL", Fixed);
    expect(await addressOf("http://service", { faces: "all" })).toBe("ws://service/stream?faces=all");
  });
});

const started = (rate: number) => JSON.stringify({ type: "started", session: "1", labels: [], limits: { frames_per_second: rate } });
const STARTED = started(1000);

/** A service that does as told at each connection. */
async function service(each: (socket: NodeSocket, number: number) => void): Promise<string> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  servers.push(server);
  let number = 0;
  server.on("connection", (socket) => each(socket, number++));
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("No address.");
  return `http://127.0.0.1:${address.port}`;
}

describe("the pace", () => {
  it("is no faster than the service reads", async () => {
    const stream = open(await service((socket) => socket.send(started(1))));
    await once(stream, "started");
    expect(stream.send(happy)).toBe(true);
    expect(stream.ready).toBe(false);
    await once(stream, "ready");
    expect(stream.send(happy)).toBe(true);
  });

  it("goes on after frames that the service passes over in silence", async () => {
    const stream = open(await service((socket) => socket.send(STARTED)));
    for (let sent = 0; sent < 3; sent++) {
      await once(stream, "ready");
      expect(stream.send(happy)).toBe(true);
    }
  });
});

describe("when the connection breaks", () => {

  it("connects anew by itself, and the session starts anew", async () => {
    const url = await service((socket, number) => {
      socket.send(STARTED);
      if (number === 0) socket.terminate();
    });
    const stream = open(url);
    const states: string[] = [];
    stream.on("state", (state) => states.push(state));
    await once(stream, "started");
    await once(stream, "started");
    expect(states).toEqual(["open", "waiting", "connecting", "open"]);
    expect(stream.ready).toBe(true);
  });

  it("does not come back to a service that refuses it, and says why", async () => {
    const refusal = { type: "error", success: false, error: "invalid_request", message: "No such model.", request_id: "7" };
    const stream = open(await service((socket) => {
      socket.send(JSON.stringify(refusal));
      socket.close(1008);
    }));
    expect(await (once(stream, "error") as Promise<VisageError>)).toMatchObject({ code: "invalid_request", requestId: "7" });
    await closed(stream);
    await expect(stream.end()).rejects.toMatchObject({ code: "invalid_request" });
  });

  it("gives up in the end", async () => {
    const stream = open("http://127.0.0.1:9", { reconnections: 1 });
    expect(await (once(stream, "error") as Promise<VisageError>)).toMatchObject({ code: "unreachable" });
    expect(stream.state).toBe("closed");
    await expect(stream.end()).rejects.toMatchObject({ code: "stream_closed" });
  });

  it("fails an end whose summary does not come", async () => {
    const stream = open(await service((socket) => {
      socket.send(STARTED);
      socket.on("message", () => socket.terminate());
    }));
    await once(stream, "started");
    const error = once(stream, "error") as Promise<VisageError>;
    await expect(stream.end()).rejects.toMatchObject({ code: "stream_closed" });
    expect(await error).toMatchObject({ code: "stream_closed" });
  });

  it("gives every end the same summary, and does not connect anew after it", async () => {
    const stream = open(await service((socket) => {
      socket.send(STARTED);
      socket.on("message", () => {
        socket.send(JSON.stringify({ type: "summary", reason: "end" }));
        socket.close(1012);
      });
    }));
    const states: string[] = [];
    stream.on("state", (state) => states.push(state));
    await once(stream, "started");
    const summary = { reason: "end" };
    expect(await Promise.all([stream.end(), stream.end()])).toMatchObject([summary, summary]);
    await closed(stream);
    expect(states).toEqual(["open", "closed"]);
    expect(await stream.end()).toMatchObject(summary);
  });

  it("does not give an error before a good prediction as the reason", async () => {
    const refusal = { type: "error", success: false, error: "invalid_image", message: "No picture.", request_id: "7", frame: 0 };
    const stream = open(await service((socket) => {
      socket.send(STARTED);
      socket.send(JSON.stringify(refusal));
      socket.send(JSON.stringify({ type: "prediction", frame: 1, faces: [] }));
      socket.close(1008);
    }));
    const codes: string[] = [];
    stream.on("error", (error) => codes.push(error.code));
    await closed(stream);
    expect(codes).toEqual(["invalid_image", "stream_closed"]);
    await expect(stream.end()).rejects.toMatchObject({ code: "stream_closed" });
  });

  it("does not trust what it cannot read", async () => {
    const stream = open(await service((socket) => socket.send("<html>")));
    expect(await (once(stream, "error") as Promise<VisageError>)).toMatchObject({ code: "unexpected_response" });
  });
});

function skipped(predictions: readonly FramePrediction[]): number {
  return predictions.reduce((sum, prediction) => sum + prediction.skipped, 0);
}
