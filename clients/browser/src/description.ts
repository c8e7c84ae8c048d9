/** A description of a face in words. Ported from `app/expression/description.py`; the words come with the models. */

import type { ActionUnit, UnitMethods } from "./action-units.js";
import { rint } from "./numbers.js";

const [CLEAR, MOST, PART, TRACE] = [0.85, 0.5, 0.15, 0.05];
const NEARLY_ALL = 0.995;
const [MOST_LABELS, MOST_FITTING, MOST_OTHER, MOST_REASONS] = [3, 3, 2, 2];

/** The usual names of labels. */
const SAME: Readonly<Record<string, string>> = {
  anger: "angry",
  disgusted: "disgust",
  fearful: "fear",
  happiness: "happy",
  sadness: "sad",
  surprised: "surprise",
};

type Table = Readonly<Record<string, string>>;

/** The words of one language: a file of `app/expression/descriptions/`. */
export interface Words {
  readonly expression: string;
  readonly fitting: string;
  readonly other: string;
  readonly active: string;
  readonly still: string;
  readonly unmeasured: string;
  readonly unsure: string;
  readonly and: string;
  readonly comma: string;
  readonly quote: string;
  readonly percent: string;
  readonly nearly_all: string;
  readonly shares: Table;
  readonly labels: Table;
  readonly units: Table;
  readonly reasons: Table;
}

export interface Shown {
  readonly probabilities: readonly (readonly [label: string, share: number])[];
  readonly uncertain: boolean;
  readonly warnings: readonly string[];
  /** Null where they could not be measured. */
  readonly units: ReadonlyMap<string, ActionUnit> | null;
}

/** What the descriptions need beside the words: how units are computed, and which commonly go with which label. */
export interface UnitKnowledge {
  readonly methods: UnitMethods;
  readonly fitting: Readonly<Record<string, readonly string[]>>;
}

export function describe(shown: Shown, words: Words, knowledge: UnitKnowledge): string {
  const ranked = [...shown.probabilities].sort((one, other) => other[1] - one[1]);
  const sentences = [filled(words.expression, { shares: shares(ranked, words) })];
  sentences.push(...movements(ranked[0][0], shown, words, knowledge));
  // That there are more faces, or no mesh, makes the expression no less sure.
  const codes = [...(shown.uncertain ? ["uncertain"] : []), ...shown.warnings];
  const reasons = codes.filter((code) => code in words.reasons).map((code) => words.reasons[code]);
  if (reasons.length) sentences.push(filled(words.unsure, { reasons: list(reasons.slice(0, MOST_REASONS), words) }));
  return sentences.join(" ");
}

function shares(ranked: readonly (readonly [string, number])[], words: Words): string {
  const named = ranked.filter(([, share], i) => share >= TRACE || i === 0).slice(0, MOST_LABELS);
  const parts = named.map(([label, share]) => {
    const name = words.labels[usual(label)] ?? filled(words.quote, { label });
    const degree = filled(words.shares[degreeOf(share)], { label: name });
    const percent = share >= NEARLY_ALL ? words.nearly_all : String(rint(100 * share));
    return filled(words.percent, { label: degree, percent });
  });
  return parts.join(words.comma);
}

function degreeOf(share: number): string {
  if (share >= CLEAR) return "clear";
  if (share >= MOST) return "most";
  return share >= PART ? "part" : "trace";
}

function movements(label: string, shown: Shown, words: Words, { methods, fitting }: UnitKnowledge): string[] {
  if (!shown.units) return [words.unmeasured];
  const active = [...shown.units].filter(([code, unit]) => unit.active && !methods[code]?.experimental);
  if (!active.length) return [words.still];
  const strongest = active.sort((one, other) => other[1].intensity - one[1].intensity).map(([code]) => code);
  const sentence = (kind: "active" | "fitting" | "other", codes: readonly string[]) =>
    codes.length
      ? [
          filled(words[kind], {
            units: list(
              codes.map((code) => words.units[code]),
              words,
            ),
          }),
        ]
      : [];
  const usually = fitting[usual(label)];
  if (!usually) return sentence("active", strongest.slice(0, MOST_FITTING));
  const going = strongest.filter((code) => usually.includes(code)).slice(0, MOST_FITTING);
  const other = strongest.filter((code) => !usually.includes(code)).slice(0, MOST_OTHER);
  return [...sentence("fitting", going), ...sentence("other", other)];
}

function list(parts: readonly string[], words: Words): string {
  const last = parts[parts.length - 1];
  return parts.length > 1 ? parts.slice(0, -1).join(words.comma) + words.and + last : last;
}

const usual = (label: string): string => SAME[label.toLowerCase()] ?? label.toLowerCase();

const filled = (template: string, values: Table): string =>
  template.replace(/\{(\w+)\}/g, (_, name: string) => values[name]);
