import type { Metadata } from "next";
import { Dashboard } from "@/components/dashboard";

export const metadata: Metadata = { title: "Dashboard" };

export default function Page() {
  return (
    <>
      <h1 className="pt-8 text-3xl">Dashboard</h1>
      <p className="mt-2 mb-6 text-muted">What the service has read since its start.</p>
      <Dashboard />
    </>
  );
}
