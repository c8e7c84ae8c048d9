"use client";

import { usePrediction } from "@visage/client/react";
import { useEffect, useRef, useState } from "react";
import { onDevice, useOnDevice } from "@/lib/on-device";
import { levelOf, useInfo, visage } from "@/lib/visage";
import { FacePicture } from "./face-picture";
import { Failure } from "./failure";
import { OnDevice } from "./on-device";
import { Prediction } from "./prediction";
import { Upload } from "./upload";
import { Waiting } from "./waiting";

const SAMPLES = [
  ["happy_sample", "A smiling face"],
  ["neutral_sample", "A calm face"],
  ["multiple_faces", "Several faces"],
  ["no_face", "No face"],
] as const;

interface Photo {
  file: File;
  address: string;
  width?: number;
  height?: number;
}

export function OnePhoto() {
  const info = useInfo();
  const [here] = useOnDevice();
  const { predict, result, error, pending, reset } = usePrediction(here ? onDevice : visage, { faces: "all", explain: "true" });
  const [photo, setPhoto] = useState<Photo>();
  const [chosen, setChosen] = useState(0);
  const heading = useRef<HTMLDivElement>(null);
  useEffect(() => () => void (photo && URL.revokeObjectURL(photo.address)), [photo]);
  useEffect(() => {
    if (result || error) heading.current?.focus();
  }, [result, error]);

  const shown = useRef(here);
  useEffect(() => {
    if (shown.current === here) return;
    shown.current = here;
    if (photo) void predict(photo.file);
  }, [here, photo, predict]);

  const read = (file: File) => {
    setPhoto({ file, address: URL.createObjectURL(file) });
    setChosen(0);
    void predict(file);
  };
  const sample = async (name: string) => {
    const response = await fetch(`/samples/${name}.jpg`);
    read(new File([await response.blob()], `${name}.jpg`, { type: "image/jpeg" }));
  };
  const another = () => {
    reset();
    setPhoto(undefined);
  };

  if (!photo) {
    return (
      <div className="space-y-6">
        <Upload camera onFiles={([file]) => file && read(file)} />
        <OnDevice />
        <div>
          <h2 className="mb-2 text-lg">Or try a sample</h2>
          <div className="grid grid-cols-2 gap-3 sm:grid-cols-4">
            {SAMPLES.map(([name, text]) => (
              <button key={name} type="button" className="card cursor-pointer p-2 text-left text-sm sm:p-2" onClick={() => void sample(name)}>
                {/* eslint-disable-next-line @next/next/no-img-element */}
                <img src={`/samples/${name}.jpg`} alt="" width={512} height={512} className="mb-2 aspect-square w-full rounded-lg object-cover" />
                {text}
              </button>
            ))}
          </div>
        </div>
      </div>
    );
  }

  const faces = result?.faces ?? [];
  const face = faces[chosen];
  const boxes = faces.map((each, index) => ({
    box: each.face.box,
    color: levelOf(info, each).color,
    name: `Face ${index + 1}: ${each.emotion}`,
  }));
  const map = face?.explanation && "overlay" in face.explanation ? face.explanation.overlay : undefined;
  return (
    <div className="grid gap-6 md:grid-cols-2">
      <div className="space-y-3">
        <FacePicture
          src={photo.address}
          alt="Your photo"
          {...(result && { size: result.image })}
          faces={boxes}
          onSize={(width, height) => setPhoto((before) => before && { ...before, width, height })}
        />
        <p className="min-h-5 text-sm text-muted">
          {photo.width !== undefined && `${photo.width} × ${photo.height} pixels, ${Math.ceil(photo.file.size / 1000)} kB`}
        </p>
        <button type="button" className="button" onClick={another}>
          Try another
        </button>
        <OnDevice />
      </div>
      <div ref={heading} tabIndex={-1} aria-live="polite" className="outline-none">
        {pending && <Waiting {...(here && { what: "The engine is loading" })} />}
        {error && <Failure error={error} onRetry={() => void predict(photo.file)} />}
        {face && !pending && (
          <div className="card space-y-4">
            {faces.length > 1 && (
              <div className="flex flex-wrap gap-2" role="group" aria-label="Faces">
                {faces.map((each, index) => (
                  <button key={index} type="button" className="button aria-pressed:border-brand" aria-pressed={index === chosen} onClick={() => setChosen(index)}>
                    Face {index + 1}: {each.emotion}
                  </button>
                ))}
              </div>
            )}
            <Prediction info={info} face={face} />
            {map && (
              <figure>
                {/* eslint-disable-next-line @next/next/no-img-element */}
                <img src={map} alt={`Where the model looked for ${face.emotion}`} width={224} height={224} className="size-56 rounded-xl" />
                <figcaption className="mt-1 text-sm text-muted">The yellow parts counted most for “{face.emotion}”.</figcaption>
              </figure>
            )}
          </div>
        )}
      </div>
    </div>
  );
}
