"use client";

import type { Info } from "@visage/client";
import { LazyMotion, MotionConfig, domAnimation } from "motion/react";
import * as m from "motion/react-m";
import { labelLook, percent } from "@/lib/visage";

interface Props {
  info: Info | undefined;
  probabilities: Record<string, number>;
  /** Labels below this share fold into one line. */
  least?: number;
}

/** The probabilities of the labels, most probable first. */
export function Bars({ info, probabilities, least = 0.01 }: Props) {
  const sorted = Object.entries(probabilities).sort(([, a], [, b]) => b - a);
  const shown = sorted.filter(([, share], index) => share >= least || index === 0);
  const folded = sorted.slice(shown.length).map(([label]) => label);
  return (
    <LazyMotion features={domAnimation} strict>
      <MotionConfig reducedMotion="user">
        <ul className="space-y-2">
          {shown.map(([label, share]) => (
            <li key={label} className="grid grid-cols-[7.5rem_1fr_5.5rem] items-center gap-2">
              <span>
                {labelLook(info, label).emoji} {label}
              </span>
              <span className="h-3 overflow-hidden rounded-full bg-line">
                <m.span
                  className="block h-full rounded-full"
                  style={{ backgroundColor: labelLook(info, label).color }}
                  initial={{ width: 0 }}
                  animate={{ width: `${share * 100}%` }}
                  transition={{ duration: 0.4 }}
                />
              </span>
              <span className="text-right tabular-nums">{percent(share)}</span>
            </li>
          ))}
        </ul>
        {folded.length > 0 && <p className="mt-2 text-sm text-muted">Under 1 %: {folded.join(", ")}</p>}
      </MotionConfig>
    </LazyMotion>
  );
}
