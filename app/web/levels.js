/** How labels and levels of confidence are shown: as the service says in `/info`, for every view and client alike. */

/** What is used until `/info` has been read: the service's own defaults. */
let levels = [
  { name: "uncertain", from: 0, emoji: "🤔" },
  { name: "fair", from: 0.6, emoji: "👍" },
  { name: "sure", from: 0.8, emoji: "✅" },
];
let labels = new Map();

export function useAppearance(info) {
  if (info.levels?.length) levels = info.levels;
  labels = new Map((info.labels ?? []).map((label) => [label.name, label]));
  for (const { name, color } of levels) if (color) document.documentElement.style.setProperty(`--${name}`, color);
}

export const emoji = (label) => labels.get(label)?.emoji ?? "🙂";

/** The colour of a label, for charts. */
export const colour = (label) => labels.get(label)?.color ?? "";

/** The levels from the least confidence to the most: `{ name, from, color, emoji }` each. */
export const allLevels = () => levels;

/** The name of the level of a confidence: `uncertain`, `fair` or `sure`. */
export function levelOf(confidence, isUncertain = false) {
  if (isUncertain) return levels[0].name;
  return levels.findLast(({ from }) => confidence >= from)?.name ?? levels[0].name;
}

export const levelEmoji = (level) => levels.find(({ name }) => name === level)?.emoji ?? "";

/** Warnings that say nothing about how reliable the expression is. */
const HARMLESS = new Set(["multiple_faces", "mesh_unsure"]);

/** The level that a face is shown with: one lower if its photo is poor, the lowest if no face was found. */
export function shownLevel({ confidence, is_uncertain: isUncertain, warnings = [] }) {
  const level = levelOf(confidence, isUncertain);
  const codes = warnings.map(({ code }) => code).filter((code) => !HARMLESS.has(code));
  if (codes.includes("face_assumed")) return levels[0].name;
  const index = levels.findIndex(({ name }) => name === level);
  return codes.length ? levels[Math.max(Math.min(index, levels.length - 2), 0)].name : level;
}
