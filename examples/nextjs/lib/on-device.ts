import type { Engine, EngineStream } from "@visage/browser";
import { VisageError, type BatchItem, type ErrorCode, type FramePrediction, type PredictionResult, type SessionSummary, type Visage } from "@visage/client";
import type { StreamHookState } from "@visage/client/react";
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";

/** Whether this program was built with the engine's files: see scripts/prepare.js. */
export const hasEngine = process.env.NEXT_PUBLIC_ENGINE === "yes";

let on = false;
const listeners = new Set<() => void>();
let engine: Promise<Engine> | undefined;

/** Whether pictures are read on this device, in every view. */
export function useOnDevice(): [on: boolean, turn: (on: boolean) => void] {
  const subscribe = useCallback((listener: () => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return [useSyncExternalStore(subscribe, () => on, () => false), turn];
}

function turn(value: boolean): void {
  on = value;
  listeners.forEach((listener) => listener());
  // What goes wrong is said when a picture is read.
  if (on) load().catch(() => {});
}

/** The engine, loaded once: its script too comes only when it is wanted. */
export function load(): Promise<Engine> {
  engine ??= script()
    .then(({ createEngine }) => createEngine({ modelsUrl: "/edge/models/" }))
    .catch((error: unknown) => {
      engine = undefined;
      throw failure(error);
    });
  return engine;
}

/** The package as scripts/prepare.js has copied it, so that its worker has a policy of its own: see next.config.ts. */
const script = () => import(/* webpackIgnore: true */ /* turbopackIgnore: true */ SCRIPT) as Promise<typeof import("@visage/browser")>;
const SCRIPT: string = "/edge/index.js";

/** The engine in place of the service: for one photo and for many. */
export const onDevice: Pick<Visage, "predict"> & { predictBatch: (pictures: readonly File[], options: { signal: AbortSignal }) => AsyncGenerator<BatchItem> } = {
  async predict(picture, { faces = "all", signal } = {}) {
    const loaded = await load();
    try {
      return (await loaded.predict(picture as Blob, { faces, ...(signal && { signal }) })) as PredictionResult;
    } catch (error) {
      throw signal?.aborted ? signal.reason : failure(error);
    }
  },
  /** One result for each picture, as the service gives it. What stops the engine itself is thrown. */
  async *predictBatch(pictures, { signal }) {
    for (const [index, picture] of pictures.entries()) {
      const item = { index, filename: picture.name };
      try {
        yield { ...item, ...(await onDevice.predict(picture, { faces: "largest", signal })) } as BatchItem;
      } catch (error) {
        if (!(error instanceof VisageError) || !OF_THE_PICTURE.has(error.code)) throw error;
        yield { ...item, success: false, error: error.code, message: error.message } as BatchItem;
      }
    }
  },
};

const OF_THE_PICTURE: ReadonlySet<string> = new Set(["no_face_detected", "invalid_image", "image_too_large", "image_too_small"]);

/** The errors of the engine have codes and sentences like those of the service. Without one, its script did not come. */
function failure(error: unknown): VisageError {
  if (error instanceof VisageError) return error;
  const { code, message } = error as { code?: string; message: string };
  if (!code) return new VisageError("model_file_unreachable" as ErrorCode, "The engine could not be loaded.");
  return new VisageError(code as ErrorCode, message);
}

type Report = Pick<SessionSummary, "duration" | "caveats"> & {
  frames: Pick<SessionSummary["frames"], "read" | "without_face">;
  tracks: Pick<SessionSummary["tracks"][number], "track" | "share">[];
};

type DeviceStream = Omit<StreamHookState, "summary"> & { summary: Report | undefined };

const IDLE = { state: "idle", prediction: undefined, summary: undefined, error: undefined } as const;

/** What `useStream` is for the service: reads what a video shows, here. */
export function useDeviceStream(): DeviceStream {
  const [shown, setShown] = useState<Omit<DeviceStream, "start" | "stop">>(IDLE);
  const stream = useRef<EngineStream>(undefined);
  const counts = useRef(new Counts());
  const call = useRef(0);

  const close = useCallback(() => {
    call.current++;
    stream.current?.close();
    stream.current = undefined;
  }, []);
  const start = useCallback(
    (video: HTMLVideoElement) => {
      close();
      const own = call.current;
      counts.current = new Counts();
      setShown({ ...IDLE, state: "connecting" });
      const fail = (error: unknown) => own === call.current && setShown({ ...IDLE, state: "closed", error: failure(error) });
      load().then((loaded) => {
        if (own !== call.current) return;
        setShown({ ...IDLE, state: "open" });
        const take = (frame: unknown) => {
          const prediction = frame as FramePrediction;
          counts.current.add(prediction);
          setShown((before) => ({ ...before, prediction }));
        };
        stream.current = loaded.stream(video, take, { faces: "all", onError: fail });
      }, fail);
    },
    [close],
  );
  const stop = useCallback(async () => {
    close();
    setShown((before) => ({ ...before, state: "closed", summary: counts.current.report() }));
  }, [close]);
  useEffect(() => close, [close]);
  return { ...shown, start, stop };
}

/** Counts the frames of a session by the label of each face. */
class Counts {
  #first: number | undefined;
  #last = 0;
  #read = 0;
  #without = 0;
  readonly #tracks = new Map<number, Record<string, number>>();

  add({ t, faces }: FramePrediction): void {
    this.#first ??= t;
    this.#last = t;
    this.#read++;
    if (faces.length === 0) this.#without++;
    for (const { track, emotion } of faces) {
      const labels = this.#tracks.get(track) ?? {};
      labels[emotion] = (labels[emotion] ?? 0) + 1;
      this.#tracks.set(track, labels);
    }
  }

  report(): Report {
    const tracks = [...this.#tracks].map(([track, labels]) => {
      const all = Object.values(labels).reduce((sum, count) => sum + count, 0);
      return { track, share: Object.fromEntries(Object.entries(labels).map(([label, count]) => [label, count / all])) };
    });
    const duration = this.#last - (this.#first ?? this.#last);
    return { duration, frames: { read: this.#read, without_face: this.#without }, tracks, caveats: [] };
  }
}

export type { Report };
