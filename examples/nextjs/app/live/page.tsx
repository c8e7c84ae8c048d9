import type { Metadata } from "next";
import { Live } from "@/components/live";
import { apiKey, streamUrl } from "@/lib/service";

export const metadata: Metadata = { title: "Live" };

export default function Page() {
  return (
    <>
      <h1 className="pt-8 text-3xl">Live</h1>
      <p className="mt-2 mb-6 text-muted">
        Frames of the camera go to the service and are forgotten there. Tell everybody who may come into the picture.
      </p>
      <Live url={streamUrl} needsToken={apiKey !== undefined} />
    </>
  );
}
