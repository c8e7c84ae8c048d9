import type { Metadata } from "next";
import { Gallery } from "@/components/gallery";

export const metadata: Metadata = { title: "Many photos" };

export default function Page() {
  return (
    <>
      <h1 className="pt-8 text-3xl">Many photos</h1>
      <p className="mt-2 mb-6 text-muted">Read any number of photos and save the results as a table.</p>
      <Gallery />
    </>
  );
}
