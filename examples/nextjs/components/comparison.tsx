"use client";

import { VisageError, type ComparisonResult } from "@visage/client";
import { useEffect, useRef, useState } from "react";
import { labelLook, percent, useInfo, visage } from "@/lib/visage";
import { Bars } from "./bars";
import { Failure } from "./failure";
import { Upload } from "./upload";
import { Waiting } from "./waiting";

export function Comparison() {
  const info = useInfo();
  const [file, setFile] = useState<File>();
  const [result, setResult] = useState<ComparisonResult>();
  const [error, setError] = useState<VisageError>();
  const [pending, setPending] = useState(false);
  const running = useRef<AbortController>(undefined);
  useEffect(() => () => running.current?.abort(), []);

  const read = async (chosen: File) => {
    running.current?.abort();
    const { signal } = (running.current = new AbortController());
    setFile(chosen);
    setResult(undefined);
    setError(undefined);
    setPending(true);
    try {
      const compared = await visage.compare(chosen, { faces: "largest", signal });
      if (!signal.aborted) setResult(compared);
    } catch (failure) {
      if (signal.aborted) return;
      if (!(failure instanceof VisageError)) throw failure;
      setError(failure);
    } finally {
      if (!signal.aborted) setPending(false);
    }
  };

  return (
    <div className="space-y-6">
      <Upload onFiles={([chosen]) => chosen && void read(chosen)} />
      <div aria-live="polite" className="space-y-6">
        {pending && <Waiting />}
        {error && file && <Failure error={error} onRetry={() => void read(file)} />}
        {result && (
          <>
            <p className="text-lg">{result.agree ? "The models agree." : "The models do not agree."}</p>
            <div className="grid gap-4 md:grid-cols-2">
              {result.models.map((each) => (
                <section key={each.model.name} className="card space-y-4" aria-label={each.model.name}>
                  <h2 className="text-xl">
                    {labelLook(info, each.emotion).emoji} {each.model.name}: {each.emotion}, {percent(each.confidence)}
                  </h2>
                  <Bars info={info} probabilities={each.probabilities} />
                  <p className="text-sm text-muted">{each.inference_time_ms} ms in the network</p>
                </section>
              ))}
            </div>
          </>
        )}
      </div>
    </div>
  );
}
