// @vitest-environment jsdom
import { act, Activity, createElement, type FC } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { VisageError, type PredictionResult, type Visage } from "../src/index.js";
import { useCamera, usePrediction, type CameraState, type PredictionState } from "../src/react.js";

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

let root: Root;

beforeEach(() => {
  root = createRoot(document.body.appendChild(document.createElement("div")));
});
afterEach(async () => {
  await act(() => root.unmount());
  vi.unstubAllGlobals();
});

/** Shows a component and gives what its hook returned last. */
async function show<State>(hook: () => State, view: (state: State) => ReturnType<FC> = () => null): Promise<() => State> {
  let latest: State | undefined;
  const Component: FC = () => view((latest = hook()));
  await act(() => root.render(createElement(Component)));
  return () => latest!;
}

const picture = new Blob(["picture"]);
const happy = { emotion: "happy" } as PredictionResult;
const sad = { emotion: "sad" } as PredictionResult;

describe("usePrediction", () => {
  it("has the result of the newest picture, whatever comes first", async () => {
    const calls: { resolve: (result: PredictionResult) => void; signal: AbortSignal }[] = [];
    const client = { predict: (_: Blob, { signal }: { signal: AbortSignal }) => new Promise((resolve) => calls.push({ resolve, signal })) };
    const state: () => PredictionState = await show(() => usePrediction(client as unknown as Visage));
    await act(async () => void state().predict(picture));
    expect(state().pending).toBe(true);
    await act(async () => void state().predict(picture));
    expect(calls[0]!.signal.aborted).toBe(true);
    await act(async () => calls[1]!.resolve(happy));
    await act(async () => calls[0]!.resolve(sad));
    expect(state()).toMatchObject({ result: happy, pending: false });
    await act(() => state().reset());
    expect(state()).toMatchObject({ result: undefined, error: undefined, pending: false });
  });

  it("has the error of a failure, and aborts when the component goes", async () => {
    const failure = new VisageError("no_face_detected", "No face.");
    let signal: AbortSignal | undefined;
    const client = {
      predict: (_: Blob, options: { signal: AbortSignal; model?: string }) => {
        signal = options.signal;
        return options.model === "none" ? Promise.reject(failure) : new Promise(() => {});
      },
    };
    const state: () => PredictionState = await show(() => usePrediction(client as unknown as Visage, { model: "none" }));
    await act(() => state().predict(picture));
    expect(state()).toMatchObject({ error: failure, pending: false });
    await act(async () => void state().predict(picture, { model: "default" }));
    expect(state()).toMatchObject({ error: undefined, pending: true });
    await act(() => root.render(null));
    expect(signal!.aborted).toBe(true);
  });
});

it("is no longer pending after it was hidden, which aborts the call", async () => {
  let state: PredictionState | undefined;
  const client = { predict: () => new Promise<PredictionResult>(() => {}) };
  const Component: FC = () => void (state = usePrediction(client));
  const render = (mode: "visible" | "hidden") => act(() => root.render(createElement(Activity, { mode, children: createElement(Component) })));
  await render("visible");
  await act(async () => void state!.predict(picture));
  expect(state!.pending).toBe(true);
  await render("hidden");
  await render("visible");
  expect(state!.pending).toBe(false);
});

it("is no longer pending after a failure that is none of the client's, and throws it", async () => {
  const client = { predict: () => Promise.reject(new TypeError("Not a picture.")) };
  const state: () => PredictionState = await show(() => usePrediction(client as unknown as Visage));
  await act(() => expect(state().predict(picture)).rejects.toThrow("Not a picture."));
  expect(state()).toMatchObject({ result: undefined, error: undefined, pending: false });
});

describe("useCamera", () => {
  const video = (state: CameraState) => createElement("video", { ref: state.ref });

  beforeEach(() => {
    vi.spyOn(HTMLMediaElement.prototype, "play").mockResolvedValue();
  });

  it("shows the camera and closes it with the component", async () => {
    const track = Object.assign(new EventTarget(), { stop: vi.fn() });
    const getUserMedia = vi.fn().mockResolvedValue({ getTracks: () => [track] });
    vi.stubGlobal("navigator", { mediaDevices: { getUserMedia } });
    const state: () => CameraState = await show(() => useCamera({ facing: "environment" }), video);
    await act(() => state().start());
    expect(getUserMedia.mock.calls[0]![0].video).toMatchObject({ facingMode: "environment" });
    expect(state().open).toBe(true);
    await act(() => state().start({ deviceId: "back" }));
    expect(track.stop).toHaveBeenCalledTimes(1);
    expect(getUserMedia.mock.calls[1]![0].video).toMatchObject({ deviceId: { exact: "back" } });
    await act(() => root.render(null));
    expect(track.stop).toHaveBeenCalledTimes(2);
  });

  it("stops a camera whose picture may not be played", async () => {
    vi.spyOn(HTMLMediaElement.prototype, "play").mockRejectedValue(new DOMException("", "NotAllowedError"));
    const track = Object.assign(new EventTarget(), { stop: vi.fn() });
    vi.stubGlobal("navigator", { mediaDevices: { getUserMedia: async () => ({ getTracks: () => [track] }) } });
    const state: () => CameraState = await show(() => useCamera(), video);
    await act(() => state().start());
    expect(track.stop).toHaveBeenCalled();
    expect(state()).toMatchObject({ open: false, error: { code: "camera_denied" } });
  });

  it("says that the camera was taken away", async () => {
    const track = Object.assign(new EventTarget(), { stop: vi.fn() });
    vi.stubGlobal("navigator", { mediaDevices: { getUserMedia: async () => ({ getTracks: () => [track] }) } });
    const state: () => CameraState = await show(() => useCamera(), video);
    await act(() => state().start());
    expect(state().open).toBe(true);
    await act(async () => void track.dispatchEvent(new Event("ended")));
    expect(state()).toMatchObject({ open: false, error: { code: "camera_missing" } });
    expect(state().ref.current!.srcObject).toBeNull();
  });

  it.each([
    ["NotAllowedError", "camera_denied"],
    ["NotFoundError", "camera_missing"],
    ["NotReadableError", "camera_busy"],
  ])("turns %s into %s", async (name, code) => {
    const getUserMedia = vi.fn().mockRejectedValue(new DOMException("", name));
    vi.stubGlobal("navigator", { mediaDevices: { getUserMedia } });
    const state: () => CameraState = await show(() => useCamera(), video);
    await act(() => state().start());
    expect(state()).toMatchObject({ open: false, error: { code } });
  });

  it("says that the page needs HTTPS", async () => {
    vi.stubGlobal("navigator", {});
    const state: () => CameraState = await show(() => useCamera(), video);
    await act(() => state().start());
    expect(state().error?.code).toBe("camera_insecure");
  });
});
