import type { Info } from "@visage/client";
import { Suspense } from "react";
import { OnePhoto } from "@/components/one-photo";
import { apiKey, url } from "@/lib/service";

const STEPS = [
  ["Find", "Two networks find the faces in the photo. Each is turned upright by its eyes."],
  ["Classify", "A small network gives each expression a score."],
  ["Calibrate", "The scores become probabilities that mean what they say: of faces read with 80 %, about 80 % are right."],
] as const;

export default function Page() {
  return (
    <>
      <section className="py-10 sm:py-14">
        <h1 className="text-4xl sm:text-5xl">What does this face show?</h1>
        <p className="mt-3 max-w-2xl text-lg text-muted">
          Visage reads the apparent expression of a face in a moment, and says when it is not sure.
        </p>
      </section>
      <OnePhoto />
      <section className="mt-14" aria-labelledby="how">
        <h2 id="how" className="text-2xl">
          How it works
        </h2>
        <ol className="mt-4 grid gap-4 sm:grid-cols-3">
          {STEPS.map(([name, text], index) => (
            <li key={name} className="card">
              <h3>
                {index + 1}. {name}
              </h3>
              <p className="mt-1 text-muted">{text}</p>
            </li>
          ))}
        </ol>
      </section>
      <section className="mt-14 min-h-80" aria-labelledby="about">
        <h2 id="about" className="text-2xl">
          The model and its limits
        </h2>
        <Suspense fallback={<div className="skeleton mt-4 h-48" />}>
          <About />
        </Suspense>
      </section>
    </>
  );
}

async function About() {
  const info = await load();
  if (!info) return <p className="mt-4 text-muted">The service is starting. Load the page again for the facts about its model.</p>;
  const model = info.models.find((each) => each.name === info.default_model);
  return (
    <div className="mt-4 grid gap-4 md:grid-cols-2">
      <div className="card">
        <h3>
          {model?.name} {model?.version}
        </h3>
        <p className="mt-1 text-muted">
          {model?.architecture}. It knows {model?.labels.join(", ")}. Trained on {model?.trained_on}.
        </p>
      </div>
      <div className="card">
        <h3>Privacy and use</h3>
        <p className="mt-1">{info.notice.texts.en}</p>
        <p className="mt-2 text-muted">It must not be used for:</p>
        <ul className="ml-5 list-disc text-muted">
          {info.notice.ruled_out.map((use) => (
            <li key={use}>{use}</li>
          ))}
        </ul>
      </div>
    </div>
  );
}

async function load(): Promise<Info | null> {
  try {
    const headers = apiKey ? { "X-API-Key": apiKey } : undefined;
    const response = await fetch(`${url}/info`, { headers, cache: "no-store", signal: AbortSignal.timeout(5000) });
    return response.ok ? ((await response.json()) as Info) : null;
  } catch {
    return null;
  }
}
