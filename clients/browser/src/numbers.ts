/** Rounding as Python and OpenCV do it. */

/** To the nearest whole number, and from halves to the even one. */
export function rint(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest < 0.5) return below;
  if (rest > 0.5) return below + 1;
  return below % 2 ? below + 1 : below;
}

/** To a number of decimals. */
export const rounded = (value: number, decimals: number): number => Number(value.toFixed(decimals));

export const clip = (value: number, least: number, most: number): number => Math.min(Math.max(value, least), most);
