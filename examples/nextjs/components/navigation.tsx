"use client";

import Link from "next/link";
import { usePathname } from "next/navigation";

const PAGES = [
  ["/", "One photo"],
  ["/gallery", "Many"],
  ["/live", "Live"],
  ["/compare", "Models"],
  ["/dashboard", "Dashboard"],
] as const;

export function Navigation() {
  const path = usePathname();
  return (
    <header className="border-b border-line bg-card">
      <nav aria-label="Pages" className="mx-auto flex max-w-5xl flex-wrap items-center gap-x-1 px-4 py-2">
        <span className="mr-3 hidden text-lg sm:inline font-semibold" aria-hidden="true">
          Visage
        </span>
        {PAGES.map(([href, name]) => (
          <Link
            key={href}
            href={href}
            aria-current={path === href ? "page" : undefined}
            className="flex min-h-11 items-center rounded-lg px-2 text-sm text-muted sm:px-3 sm:text-base aria-[current]:bg-page aria-[current]:font-medium aria-[current]:text-ink"
          >
            {name}
          </Link>
        ))}
      </nav>
    </header>
  );
}
