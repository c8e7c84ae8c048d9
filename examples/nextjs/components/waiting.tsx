"use client";

import { useEffect, useState } from "react";

/** A skeleton of a result. After three seconds it says what it may be waiting for, and for how long it has waited. */
export function Waiting({ what = "The service may be starting" }: { what?: string }) {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const start = performance.now();
    const timer = setInterval(() => setSeconds(Math.floor((performance.now() - start) / 1000)), 250);
    return () => clearInterval(timer);
  }, []);
  return (
    <div className="card space-y-4" role="status" aria-label="Reading the picture">
      <div className="skeleton h-10 w-2/3" />
      <div className="skeleton h-6 w-1/3" />
      {[80, 45, 30, 20].map((width) => (
        <div key={width} className="skeleton h-4" style={{ width: `${width}%` }} />
      ))}
      <p className="min-h-6 text-muted">{seconds >= 3 && `${what}: ${seconds} s so far.`}</p>
    </div>
  );
}
