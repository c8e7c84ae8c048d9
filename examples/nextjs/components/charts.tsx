"use client";

import type { Info } from "@visage/client";
import { Area, AreaChart, Bar, BarChart, CartesianGrid, Cell, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";
import { labelLook } from "@/lib/visage";

export type Point = Record<string, number>;

const TEXT = { fill: "var(--color-muted)", fontSize: 12 };
const TOOLTIP = { backgroundColor: "var(--color-card)", border: "1px solid var(--color-line)", borderRadius: 8 };

/** The probabilities over time, one above the other. */
export function Shares({ info, points }: { info: Info | undefined; points: readonly Point[] }) {
  const labels = Object.keys(points[0] ?? {}).filter((name) => name !== "t");
  return (
    <ResponsiveContainer width="100%" height={180}>
      <AreaChart data={[...points]} margin={{ left: -20, right: 4, top: 4 }}>
        <XAxis dataKey="t" type="number" domain={["dataMin", "dataMax"]} allowDecimals={false} tick={TEXT} tickFormatter={(t: number) => `${Math.round(t)} s`} minTickGap={40} />
        <YAxis tick={TEXT} domain={[0, 1]} tickFormatter={(share: number) => `${Math.round(share * 100)} %`} />
        {labels.map((label) => (
          <Area key={label} dataKey={label} stackId="all" stroke="none" fill={labelLook(info, label).color} fillOpacity={0.85} isAnimationActive={false} />
        ))}
      </AreaChart>
    </ResponsiveContainer>
  );
}

export interface Column {
  name: string;
  value: number;
  color?: string;
}

/** Counts by name. Of names that are `spans`, the axis has the beginnings, so that all have room. */
export function Counts({ columns, label, spans = false }: { columns: readonly Column[]; label: string; spans?: boolean }) {
  return (
    <figure>
      <ResponsiveContainer width="100%" height={220}>
        <BarChart data={[...columns]} margin={{ left: -12, right: 4, top: 4 }} accessibilityLayer>
          <CartesianGrid vertical={false} stroke="var(--color-line)" />
          <XAxis dataKey="name" tick={TEXT} {...(spans ? { interval: 0, tickFormatter: (name: string) => name.split("–")[0]! } : { interval: "preserveStartEnd", minTickGap: 6 })} />
          <YAxis tick={TEXT} allowDecimals={false} />
          <Tooltip contentStyle={TOOLTIP} cursor={{ fill: "var(--color-line)", opacity: 0.4 }} />
          <Bar dataKey="value" name={label} isAnimationActive={false} radius={4}>
            {columns.map((column) => (
              <Cell key={column.name} fill={column.color ?? "var(--color-brand)"} />
            ))}
          </Bar>
        </BarChart>
      </ResponsiveContainer>
      <figcaption className="sr-only">{columns.map((column) => `${column.name}: ${column.value}`).join(", ")}</figcaption>
    </figure>
  );
}

