"use client";

import { hasEngine, useOnDevice } from "@/lib/on-device";

/** Where the engine's files are: whether pictures are read here or by the service. */
export function OnDevice({ disabled = false }: { disabled?: boolean }) {
  const [on, turn] = useOnDevice();
  if (!hasEngine) return null;
  return (
    <div>
      <label className="flex min-h-11 items-center gap-2 font-medium">
        <input type="checkbox" role="switch" className="size-5 accent-brand" checked={on} disabled={disabled} onChange={(event) => turn(event.target.checked)} />
        On this device
      </label>
      <p className="min-h-12 text-sm text-muted sm:min-h-6">
        {on ? "Read in this browser. What leaves this device: nothing." : "Read by the service. On this device, 8 MB are loaded once."}
      </p>
    </div>
  );
}
