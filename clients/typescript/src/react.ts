import { useCallback, useEffect, useRef, useState, type RefObject } from "react";
import { cameraError, openCamera, takeFrame, type CameraOptions } from "./camera.js";
import type { PredictionResult, PredictOptions, Visage } from "./client.js";
import { VisageError } from "./errors.js";
import type { Picture } from "./picture.js";
import type { FramePrediction, SessionEvent, SessionSummary, StreamOptions, StreamState, VisageStream } from "./stream.js";

export { cameras, openCamera, takeFrame, type CameraOptions } from "./camera.js";

export interface PredictionState {
  result: PredictionResult | undefined;
  error: VisageError | undefined;
  pending: boolean;
  /** Predicts a picture. A call that is under way is aborted: the newest picture wins. */
  predict: (picture: Picture, options?: Omit<PredictOptions, "signal">) => Promise<void>;
  /** Aborts what is under way and forgets the result. */
  reset: () => void;
}

/** The prediction of the newest picture. */
export function usePrediction(client: Pick<Visage, "predict">, defaults: Omit<PredictOptions, "signal"> = {}): PredictionState {
  const [state, setState] = useState<Pick<PredictionState, "result" | "error" | "pending">>(IDLE);
  const running = useRef<AbortController>(undefined);
  const options = useRef(defaults);
  options.current = defaults;

  const predict = useCallback<PredictionState["predict"]>(
    async (picture, more) => {
      running.current?.abort();
      const controller = new AbortController();
      running.current = controller;
      setState((before) => ({ ...before, error: undefined, pending: true }));
      try {
        const result = await client.predict(picture, { ...options.current, ...more, signal: controller.signal });
        if (running.current === controller) setState({ result, error: undefined, pending: false });
      } catch (error) {
        if (running.current !== controller || controller.signal.aborted) return;
        const known = error instanceof VisageError;
        setState({ result: undefined, error: known ? error : undefined, pending: false });
        if (!known) throw error;
      }
    },
    [client],
  );
  const reset = useCallback(() => {
    running.current?.abort();
    running.current = undefined;
    setState(IDLE);
  }, []);
  useEffect(
    () => () => {
      running.current?.abort();
      // The state stays where React only hides the component (`<Activity>`).
      setState((before) => (before.pending ? { ...before, pending: false } : before));
    },
    [],
  );
  return { ...state, predict, reset };
}

const IDLE = { result: undefined, error: undefined, pending: false } as const;

export interface CameraState {
  /** Give it to a `<video>` element, which shows the camera. */
  ref: RefObject<HTMLVideoElement | null>;
  open: boolean;
  error: VisageError | undefined;
  start: (options?: CameraOptions) => Promise<void>;
  stop: () => void;
}

/** A camera in a video element. It is closed when the component goes. */
export function useCamera(defaults: CameraOptions = {}): CameraState {
  const ref = useRef<HTMLVideoElement>(null);
  const media = useRef<MediaStream>(undefined);
  const latest = useRef(0);
  const options = useRef(defaults);
  options.current = defaults;
  const [state, setState] = useState<Pick<CameraState, "open" | "error">>({ open: false, error: undefined });

  const stop = useCallback(() => {
    latest.current++;
    media.current?.getTracks().forEach((track) => track.stop());
    media.current = undefined;
    if (ref.current) ref.current.srcObject = null;
    setState({ open: false, error: undefined });
  }, []);
  const start = useCallback<CameraState["start"]>(
    async (more) => {
      stop();
      const call = latest.current;
      const fail = (error: VisageError) => {
        if (call !== latest.current) return;
        stop();
        setState({ open: false, error });
      };
      try {
        const opened = await openCamera({ ...options.current, ...more });
        if (call !== latest.current) return opened.getTracks().forEach((track) => track.stop());
        media.current = opened;
        const gone = () => fail(new VisageError("camera_missing", "The camera was taken away."));
        opened.getTracks().forEach((track) => track.addEventListener("ended", gone));
        if (ref.current) {
          ref.current.srcObject = opened;
          await ref.current.play();
        }
        if (call === latest.current) setState({ open: true, error: undefined });
      } catch (error) {
        fail(cameraError(error));
      }
    },
    [stop],
  );
  useEffect(() => stop, [stop]);
  return { ref, ...state, start, stop };
}

export interface UseStreamOptions extends StreamOptions {
  /** The longest side of frames in pixels. The default is 640. */
  longestSide?: number;
  /** Frames a second at most. The default is 15; fewer are sent where the service or the network is slower. */
  framesPerSecond?: number;
  onEvent?: (event: SessionEvent) => void;
}

export interface StreamHookState {
  state: StreamState | "idle";
  prediction: FramePrediction | undefined;
  summary: SessionSummary | undefined;
  error: VisageError | undefined;
  /** Sends what a video shows until `stop`. */
  start: (video: HTMLVideoElement) => void;
  /** Ends the session; its summary follows. */
  stop: () => Promise<void>;
}

const NO_STREAM = { state: "idle", prediction: undefined, summary: undefined, error: undefined } as const;

/** A stream of what a video element shows, be it a camera or a file. It is closed when the component goes. */
export function useStream(client: Visage, options: UseStreamOptions = {}): StreamHookState {
  const [shown, setShown] = useState<Pick<StreamHookState, "state" | "prediction" | "summary" | "error">>(NO_STREAM);
  const latest = useRef(options);
  latest.current = options;
  const running = useRef<{ stream: VisageStream; timer: ReturnType<typeof setInterval> }>(undefined);

  const close = useCallback(() => {
    clearInterval(running.current?.timer);
    running.current?.stream.close();
    running.current = undefined;
  }, []);
  const start = useCallback(
    (video: HTMLVideoElement) => {
      close();
      setShown({ ...NO_STREAM, state: "connecting" });
      const { longestSide, framesPerSecond = 15, onEvent: _, ...rest } = latest.current;
      const stream = client.stream(rest);
      const update = (change: Partial<typeof shown>) => {
        if (running.current?.stream === stream) setShown((before) => ({ ...before, ...change }));
      };
      let taking = false;
      const timer = setInterval(async () => {
        if (taking || !stream.ready || video.paused || video.ended) return;
        taking = true;
        const frame = await takeFrame(video, longestSide).catch(() => null);
        taking = false;
        if (frame) stream.send(frame);
      }, 1000 / framesPerSecond);
      running.current = { stream, timer };
      stream.on("state", (state) => update({ state }));
      stream.on("started", () => update({ error: undefined }));
      stream.on("prediction", (prediction) => update({ prediction }));
      stream.on("summary", (summary) => update({ summary }));
      stream.on("error", (error) => update({ error }));
      stream.on("event", (event) => latest.current.onEvent?.(event));
    },
    [client, close],
  );
  const stop = useCallback(async () => {
    const stream = running.current?.stream;
    clearInterval(running.current?.timer);
    // The summary and a failure reach the state by their events.
    await stream?.end().catch(() => undefined);
  }, []);
  useEffect(() => close, [close]);
  return { ...shown, start, stop };
}
