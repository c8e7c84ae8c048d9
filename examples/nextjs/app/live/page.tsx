import type { Metadata } from "next";
import { Live } from "@/components/live";
import { apiKey, streamUrl } from "@/lib/service";

export const metadata: Metadata = { title: "Live" };

export default function Page() {
  return (
    <>
      <h1 className="pt-8 text-3xl">Live</h1>
      <Live url={streamUrl} needsToken={apiKey !== undefined} />
    </>
  );
}
