"use client";

import type { VisageError } from "@visage/client";
import { useEffect, useState } from "react";
import { explain } from "@/lib/visage";

interface Props {
  error: VisageError;
  onRetry?: () => void;
}

/** What went wrong and what to do. Where the service named a time, the retry waits for it. */
export function Failure({ error, onRetry }: Props) {
  const [left, setLeft] = useState(Math.ceil(error.retryAfter ?? 0));
  const [shown, setShown] = useState(error);
  if (shown !== error) {
    setShown(error);
    setLeft(Math.ceil(error.retryAfter ?? 0));
  }
  useEffect(() => {
    if (left <= 0) return;
    const timer = setTimeout(() => setLeft(left - 1), 1000);
    return () => clearTimeout(timer);
  }, [left]);
  const { title, text } = explain(error);
  return (
    <div role="alert" className="card border-alert">
      <h2 className="text-lg text-alert">{title}</h2>
      <p className="mt-1">{text}</p>
      {error.requestId && <p className="mt-1 text-sm break-all text-muted">Request {error.requestId}</p>}
      {onRetry && (
        <button type="button" className="button mt-3" onClick={onRetry} disabled={left > 0}>
          {left > 0 ? `Try again in ${left} s` : "Try again"}
        </button>
      )}
    </div>
  );
}
