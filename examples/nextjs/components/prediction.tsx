"use client";

import type { Info, PredictedFace } from "@visage/client";
import { labelLook, levelOf, percent } from "@/lib/visage";
import { Bars } from "./bars";

/** What a face looks like, how sure that is, and why it may be wrong. */
export function Prediction({ info, face }: { info: Info | undefined; face: PredictedFace }) {
  // Every face has a button of its own.
  const warnings = face.warnings.filter(({ code }) => code !== "multiple_faces");
  const level = levelOf(info, face);
  return (
    <div className="space-y-4">
      <div className="flex flex-wrap items-center gap-3">
        <span className="text-5xl" aria-hidden="true">
          {labelLook(info, face.emotion).emoji}
        </span>
        <div>
          <h2 className="text-2xl">
            {face.is_uncertain ? "Uncertain, perhaps " : "Looks "}
            {face.emotion}
          </h2>
          <span className="inline-block rounded-full px-3 py-0.5 text-sm font-medium text-white" style={{ backgroundColor: level.color }}>
            {level.name}: {percent(face.confidence)}
          </span>
        </div>
      </div>
      {face.message && <p>{face.message}</p>}
      {warnings.map((warning) => (
        <p key={warning.code} className="rounded-lg bg-page px-3 py-2">
          ⚠️ {warning.message}
        </p>
      ))}
      <Bars info={info} probabilities={face.probabilities} />
    </div>
  );
}
