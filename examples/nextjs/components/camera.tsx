"use client";

import { takeFrame, useCamera } from "@visage/client/react";
import { useEffect } from "react";
import { Failure } from "./failure";

interface Props {
  onPhoto: (photo: File) => void;
  onClose: () => void;
}

/** Takes one photo with the camera. */
export function Camera({ onPhoto, onClose }: Props) {
  const { ref, open, error, start } = useCamera({ width: 1280, height: 960 });
  useEffect(() => void start(), [start]);
  const shoot = async () => {
    const frame = ref.current && (await takeFrame(ref.current, 1280, 0.9));
    if (frame) onPhoto(new File([frame], "camera.jpg", { type: "image/jpeg" }));
  };
  return (
    <section aria-label="Camera" className="card mt-4 space-y-3">
      {error ? (
        <Failure error={error} onRetry={() => void start()} />
      ) : (
        <video ref={ref} muted playsInline className="aspect-4/3 w-full -scale-x-100 rounded-xl bg-line object-contain" />
      )}
      <div className="flex gap-2">
        <button type="button" className="button-main" onClick={() => void shoot()} disabled={!open}>
          Take a photo
        </button>
        <button type="button" className="button" onClick={onClose}>
          Close
        </button>
      </div>
    </section>
  );
}
