"use client";

import { VisageError, type BatchItem } from "@visage/client";
import { useEffect, useRef, useState } from "react";
import { asCsv } from "@/lib/csv";
import { onDevice, useOnDevice } from "@/lib/on-device";
import { explain, labelLook, levelOf, percent, useInfo, visage } from "@/lib/visage";
import { Failure } from "./failure";
import { OnDevice } from "./on-device";
import { Upload } from "./upload";

interface Row {
  file: File;
  address: string;
  item?: BatchItem;
}

export function Gallery() {
  const info = useInfo();
  const [here] = useOnDevice();
  const [rows, setRows] = useState<Row[]>([]);
  const [error, setError] = useState<VisageError>();
  const running = useRef<AbortController>(undefined);
  const addresses = useRef<string[]>([]);
  useEffect(
    () => () => {
      running.current?.abort();
      addresses.current.forEach((address) => URL.revokeObjectURL(address));
    },
    [],
  );

  const read = async (files: File[]) => {
    running.current?.abort();
    const controller = (running.current = new AbortController());
    setError(undefined);
    const started: Row[] = files.map((file) => ({ file, address: URL.createObjectURL(file) }));
    addresses.current.push(...started.map((row) => row.address));
    setRows(started);
    const { signal } = controller;
    const items = here ? onDevice.predictBatch(files, { signal }) : visage.predictBatch(files, { faces: "largest", signal });
    try {
      for await (const item of items) {
        setRows((before) => before.map((row, index) => (index === item.index ? { ...row, item } : row)));
      }
    } catch (failure) {
      if (signal.aborted) return;
      if (!(failure instanceof VisageError)) throw failure;
      setError(failure);
    }
  };
  const done = rows.filter((row) => row.item).length;
  const reading = done < rows.length && !error;

  return (
    <div className="space-y-6">
      <Upload several onFiles={(files) => void read(files)} />
      <OnDevice disabled={reading} />
      {error && <Failure error={error} onRetry={() => void read(rows.map((row) => row.file))} />}
      {rows.length > 0 && (
        <>
          <div className="flex min-h-11 items-center justify-between gap-3">
            <p aria-live="polite">
              {done} of {rows.length} read
            </p>
            <button type="button" className="button" disabled={done < rows.length || !info} onClick={() => save(rows, info!.labels.map(({ name }) => name))}>
              Save as CSV
            </button>
          </div>
          <ul className="grid grid-cols-2 gap-3 sm:grid-cols-3 lg:grid-cols-4">
            {rows.map(({ file, address, item }) => (
              <li key={address} className="card p-2 sm:p-2">
                {/* eslint-disable-next-line @next/next/no-img-element */}
                <img src={address} alt={file.name} className="aspect-square w-full rounded-lg bg-line object-cover" />
                <p className="mt-2 truncate text-sm text-muted">{file.name}</p>
                <div className="min-h-12">
                  {!item && !error && <div className="skeleton h-5 w-3/4" />}
                  {item?.success && (
                    <p>
                      {labelLook(info, item.emotion).emoji} {item.emotion},{" "}
                      <span style={{ backgroundColor: levelOf(info, item).color }} className="rounded-full px-2 text-sm whitespace-nowrap text-white">
                        {percent(item.confidence)}
                      </span>
                    </p>
                  )}
                  {item && !item.success && <p className="text-sm text-alert">{explain(new VisageError(item.error, item.message)).title}</p>}
                </div>
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}

function save(rows: readonly Row[], labels: readonly string[]): void {
  const results = rows.flatMap(({ file, item }) => (item ? [{ name: file.name, item }] : []));
  const address = URL.createObjectURL(new Blob([asCsv(results, labels)], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = "expressions.csv";
  link.click();
  URL.revokeObjectURL(address);
}
