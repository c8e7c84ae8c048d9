/** Formats numbers, durations and words for display. */

/** A probability that never overclaims: nothing is certain, and what is not nothing is not called 0 %. */
export function percent(share) {
  if (share >= 0.995) return "over 99 %";
  if (share > 0 && share < 0.005) return "under 1 %";
  return ratio(share);
}

/** A share of a count, such as half of the photos. */
export const ratio = (share) => `${Math.round(share * 100)} %`;

export const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);

export const plural = (count, one) => `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;

/** A duration in the unit that suits it. */
export function duration(milliseconds) {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

export function megabytes(bytes) {
  if (bytes < 1000) return plural(bytes, "byte");
  return bytes < 100_000 ? `${Math.round(bytes / 1000)} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
