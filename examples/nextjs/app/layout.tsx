import type { Metadata, Viewport } from "next";
import { Navigation } from "@/components/navigation";
import "./globals.css";

export const metadata: Metadata = {
  title: { default: "Visage", template: "%s · Visage" },
  description: "Reads the apparent expression of faces in photos and video.",
};

export const viewport: Viewport = { width: "device-width", initialScale: 1 };

// Each response has a nonce of its own, so no page is made at build time.
export const dynamic = "force-dynamic";

export default function Layout({ children }: { children: React.ReactNode }) {
  return (
    <html lang="en">
      <body>
        <a href="#main" className="sr-only focus:not-sr-only focus:absolute focus:p-3">
          Skip to the content
        </a>
        <Navigation />
        <main id="main" className="mx-auto max-w-5xl px-4 pb-16">
          {children}
        </main>
        <footer className="border-t border-line">
          <p className="mx-auto max-w-5xl px-4 py-6 text-sm text-muted">
            Visage describes what a face shows, not what a person feels. Pictures are read and forgotten.
          </p>
        </footer>
      </body>
    </html>
  );
}
