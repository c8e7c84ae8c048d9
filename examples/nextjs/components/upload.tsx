"use client";

import { useEffect, useRef, useState } from "react";
import { Camera } from "./camera";

interface Props {
  onFiles: (files: File[]) => void;
  several?: boolean;
  camera?: boolean;
}

/** Takes pictures by drag, click, paste or camera. */
export function Upload({ onFiles, several = false, camera = false }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [taking, setTaking] = useState(false);
  const latest = useRef(onFiles);
  latest.current = onFiles;

  const take = (files: FileList | null | undefined) => {
    const chosen = [...(files ?? [])];
    if (chosen.length > 0) latest.current(several ? chosen : chosen.slice(0, 1));
  };
  const takeLatest = useRef(take);
  takeLatest.current = take;
  useEffect(() => {
    const paste = (event: ClipboardEvent) => takeLatest.current(event.clipboardData?.files);
    document.addEventListener("paste", paste);
    return () => document.removeEventListener("paste", paste);
  }, []);

  return (
    <div>
      <div
        className="card border-2 border-dashed text-center data-over:border-brand"
        data-over={over || undefined}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault();
          setOver(false);
          take(event.dataTransfer.files);
        }}
      >
        <input
          ref={input}
          type="file"
          accept="image/jpeg,image/png,image/webp,image/bmp"
          multiple={several}
          className="sr-only"
          tabIndex={-1}
          aria-label={several ? "Photos" : "Photo"}
          onChange={(event) => {
            take(event.target.files);
            event.target.value = "";
          }}
        />
        <div className="flex flex-wrap justify-center gap-2">
          <button type="button" className="button-main" onClick={() => input.current?.click()}>
            {several ? "Choose photos" : "Choose a photo"}
          </button>
          {camera && (
            <button type="button" className="button" onClick={() => setTaking(true)}>
              Use the camera
            </button>
          )}
        </div>
        <p className="mt-3 text-muted">
          {several ? "Or drop them here." : "Or drop or paste one here."} JPEG, PNG, WebP or BMP.
        </p>
      </div>
      {taking && (
        <Camera
          onPhoto={(photo) => {
            setTaking(false);
            onFiles([photo]);
          }}
          onClose={() => setTaking(false)}
        />
      )}
    </div>
  );
}
