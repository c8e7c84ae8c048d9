/** Formats numbers, durations and words for display. */

export const percent = (share) => `${Math.round(share * 100)} %`;

export const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);

export const plural = (count, one, several = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : several}`;

/** A duration in the unit that suits it. */
export function duration(milliseconds) {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
