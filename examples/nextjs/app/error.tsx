"use client";

export default function ErrorPage({ reset }: { reset: () => void }) {
  return (
    <div role="alert" className="card mt-10">
      <h1 className="text-2xl">Something went wrong on this page</h1>
      <p className="mt-1 text-muted">Your photos are where they were. Nothing was kept.</p>
      <button type="button" className="button mt-4" onClick={reset}>
        Try again
      </button>
    </div>
  );
}
