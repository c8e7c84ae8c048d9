"use client";

import { Visage, type FramePrediction, type TrackedFace } from "@visage/client";
import { useCamera, useStream } from "@visage/client/react";
import dynamic from "next/dynamic";
import { useEffect, useMemo, useRef, useState } from "react";
import { useDeviceStream, useOnDevice, type Report as Summary } from "@/lib/on-device";
import { labelLook, levelOf, percent, useInfo } from "@/lib/visage";
import { Bars } from "./bars";
import { Failure } from "./failure";
import { OnDevice } from "./on-device";
import type { Point } from "./charts";

const Shares = dynamic(() => import("./charts").then((charts) => charts.Shares), { ssr: false });

/** Points in the strip: a minute at some ten frames a second. */
const POINTS = 600;

async function token(): Promise<string> {
  const response = await fetch("/api/visage/stream/token", { method: "POST" });
  const body = (await response.json()) as { token?: string; message?: string };
  if (!body.token) throw new Error(body.message ?? "The service gives no token.");
  return body.token;
}

export function Live({ url, needsToken }: { url: string; needsToken: boolean }) {
  const info = useInfo();
  const client = useMemo(() => new Visage({ url }), [url]);
  const camera = useCamera();
  const [here] = useOnDevice();
  const sent = useStream(client, { faces: "all", ...(needsToken && { token }) });
  const own = useDeviceStream();
  const stream = here ? own : sent;
  const [points, setPoints] = useState<Point[]>([]);
  const { prediction } = stream;
  const first = prediction?.faces[0];
  const shown = useRef<FramePrediction>(undefined);
  useEffect(() => {
    if (!prediction || prediction === shown.current) return;
    shown.current = prediction;
    const [face] = prediction.faces;
    if (face) setPoints((before) => [...before.slice(1 - POINTS), { t: prediction.t, ...smoothed(face) }]);
  }, [prediction]);

  const { stop: closeCamera } = camera;
  useEffect(() => {
    if (stream.state === "closed") closeCamera();
  }, [stream.state, closeCamera]);

  const running = stream.state !== "idle" && stream.state !== "closed";
  const start = async () => {
    setPoints([]);
    await camera.start();
    if (camera.ref.current?.srcObject) stream.start(camera.ref.current);
  };

  return (
    <>
      <p className="mt-2 mb-6 text-muted">
        {here ? "Frames of the camera stay in this browser." : "Frames of the camera go to the service and are forgotten there."} Tell everybody who may come into
        the picture.
      </p>
      <div className="grid gap-6 md:grid-cols-2">
        <div className="space-y-3">
          <div className="relative overflow-hidden rounded-xl bg-line">
            <video ref={camera.ref} muted playsInline className="aspect-4/3 w-full object-contain" aria-label="Camera" />
            {!camera.open && <p className="absolute inset-0 grid place-items-center text-muted">The camera is off.</p>}
            {prediction && running && <Boxes prediction={prediction} color={(face) => levelOf(info, face).color} />}
          </div>
          <div className="flex min-h-11 items-center gap-3">
            {running ? (
              <button type="button" className="button" onClick={() => void stream.stop()}>
                Stop
              </button>
            ) : (
              <button type="button" className="button-main" onClick={() => void start()}>
                Start the camera
              </button>
            )}
            <p className="text-sm text-muted" role="status">
              {here && stream.state === "open" ? "Read on this device" : STATES[stream.state]}
              {running && prediction && `, ${Math.round(prediction.timings_ms.total ?? 0)} ms a frame`}
            </p>
          </div>
          <OnDevice disabled={running} />
          {camera.error && <Failure error={camera.error} onRetry={() => void start()} />}
          {stream.error && (stream.state === "closed" || stream.state === "waiting") && <Failure error={stream.error} />}
        </div>
        <div className="space-y-4">
          {first && running && (
            <section className="card" aria-label="The largest face">
              <h2 className="mb-3 text-xl">
                {labelLook(info, first.emotion).emoji} Face {first.track}: {first.is_uncertain ? "uncertain" : first.emotion}
              </h2>
              <Bars info={info} probabilities={smoothed(first)} least={0} />
            </section>
          )}
          {points.length > 1 && (
            <section className="card" aria-label="Over time">
              <Shares info={info} points={points} />
            </section>
          )}
          {stream.summary && !running && <Report summary={stream.summary} />}
        </div>
      </div>
    </>
  );
}

const STATES = {
  idle: "",
  connecting: "Connecting",
  open: "Live",
  waiting: "The connection was lost. Trying again",
  closed: "Ended",
} as const;

function smoothed(face: TrackedFace): Record<string, number> {
  return face.smoothed ?? face.probabilities;
}

function Boxes({ prediction, color }: { prediction: FramePrediction; color: (face: TrackedFace) => string }) {
  const { width, height } = prediction.image;
  return (
    <svg className="absolute inset-0 size-full" viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="xMidYMid meet" aria-hidden="true">
      {prediction.faces.map((face) => (
        <g key={face.track}>
          <rect {...face.face.box} fill="none" stroke={color(face)} strokeWidth={width / 120} rx={8} />
          <text x={face.face.box.x} y={Math.max(face.face.box.y - 6, height / 18)} fill="#fff" stroke="#000" strokeWidth={3} paintOrder="stroke" fontSize={height / 18}>
            {face.track}: {face.emotion}
          </text>
        </g>
      ))}
    </svg>
  );
}

function Report({ summary }: { summary: Summary }) {
  const { duration, frames, tracks, caveats } = summary;
  return (
    <section className="card space-y-3" aria-label="Report">
      <h2 className="text-xl">{duration.toFixed(1)} seconds</h2>
      <p className="text-muted">
        {frames.read} frames read, {frames.without_face} without a face.
      </p>
      {tracks.map((track) => (
        <div key={track.track}>
          <h3>Face {track.track}</h3>
          <ul className="text-muted">
            {Object.entries(track.share)
              .filter(([, share]) => share > 0)
              .sort(([, a], [, b]) => b - a)
              .map(([label, share]) => (
                <li key={label}>
                  {label}: {percent(share)} of the time
                </li>
              ))}
          </ul>
        </div>
      ))}
      {caveats.map((caveat) => (
        <p key={caveat.code}>⚠️ {caveat.message}</p>
      ))}
    </section>
  );
}
