import type { Metadata } from "next";
import { Comparison } from "@/components/comparison";

export const metadata: Metadata = { title: "Models side by side" };

export default function Page() {
  return (
    <>
      <h1 className="pt-8 text-3xl">Models side by side</h1>
      <p className="mt-2 mb-6 text-muted">Show one photo to every model of the service.</p>
      <Comparison />
    </>
  );
}
