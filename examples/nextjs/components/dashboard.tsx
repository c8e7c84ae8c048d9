"use client";

import { VisageError, type Stats } from "@visage/client";
import dynamic from "next/dynamic";
import { useEffect, useState } from "react";
import { labelLook, percent, useInfo, visage } from "@/lib/visage";
import { Failure } from "./failure";

const Counts = dynamic(() => import("./charts").then((charts) => charts.Counts), {
  ssr: false,
  loading: () => <div className="skeleton h-[220px]" />,
});

const EVERY_MS = 5000;

/** The totals of the service since its start, kept up to date while the page is seen. */
export function Dashboard() {
  const info = useInfo();
  const [stats, setStats] = useState<Stats>();
  const [error, setError] = useState<VisageError>();
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    const controller = new AbortController();
    const load = async () => {
      let wait = EVERY_MS;
      try {
        if (!document.hidden) setStats(await visage.stats({ signal: controller.signal }));
        setError(undefined);
      } catch (failure) {
        if (controller.signal.aborted) return;
        if (!(failure instanceof VisageError)) throw failure;
        setError(failure);
        wait = Math.max(EVERY_MS, (failure.retryAfter ?? 0) * 1000);
      }
      timer = setTimeout(load, wait);
    };
    void load();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [attempt]);

  if (!stats) return error ? <Failure error={error} onRetry={() => setAttempt(attempt + 1)} /> : <div className="skeleton h-96" />;
  const errors = Object.entries(stats.errors).map(([name, value]) => ({ name, value }));
  return (
    <div className="space-y-6">
      {error && <Failure error={error} />}
      <dl className="grid grid-cols-2 gap-3 sm:grid-cols-3">
        <Fact name="Pictures" value={stats.pictures.toLocaleString("en")} />
        <Fact name="Faces" value={stats.faces.toLocaleString("en")} />
        <Fact name="Running for" value={duration(stats.uptime_seconds)} />
      </dl>
      {Object.entries(stats.models).map(([name, model]) => (
        <section key={name} className="card space-y-6" aria-label={name}>
          <h2 className="text-xl">
            {name}: {model.faces === 1 ? "1 face" : `${model.faces.toLocaleString("en")} faces`}
            {model.uncertain_share !== null && `, ${percent(model.uncertain_share)} uncertain`}
          </h2>
          <div className="grid gap-6 md:grid-cols-2">
            <div>
              <h3 className="mb-2">Expressions</h3>
              <Counts label="Faces" columns={Object.entries(model.labels).map(([label, value]) => ({ name: label, value, color: labelLook(info, label).color }))} />
            </div>
            <div>
              <h3 className="mb-2">Confidence in %</h3>
              <Counts label="Faces" spans columns={bins(model.confidence)} />
            </div>
          </div>
        </section>
      ))}
      <section className="card" aria-label="Errors">
        <h2 className="mb-2 text-xl">Errors</h2>
        {errors.length > 0 ? <Counts label="Requests" columns={errors} /> : <p className="text-muted">None.</p>}
      </section>
    </div>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div className="card">
      <dt className="text-muted">{name}</dt>
      <dd className="text-2xl font-semibold tabular-nums">{value}</dd>
    </div>
  );
}

/** The counts of a histogram by their upper bounds; the last count is what lies above all of them. */
function bins({ bounds, counts }: { bounds: number[]; counts: number[] }) {
  const edges = [0, ...bounds, 1];
  return counts.map((value, index) => ({ name: `${Math.round(edges[index]! * 100)}–${Math.round(edges[index + 1]! * 100)}`, value }));
}

function duration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
