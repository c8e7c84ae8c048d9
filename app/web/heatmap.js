/** Draws the explanation of a prediction over the picture. */

import { h } from "./dom.js";

/** The most faces of a picture for maps by occlusion. */
export const MOST_OCCLUDED = 8;

/** The colours of the values from 0 to 1, at equal distances. */
const RAMP = [
  [42, 69, 216],
  [176, 52, 196],
  [245, 106, 84],
  [255, 214, 92],
];

const MOST_PIXELS = 1280;

function colour(value) {
  const at = Math.min(Math.max(value, 0), 1) * (RAMP.length - 1);
  const index = Math.min(Math.floor(at), RAMP.length - 2);
  return RAMP[index].map((from, channel) => from + (RAMP[index + 1][channel] - from) * (at - index));
}

/** The grid as a picture with one pixel per cell. The lower its value, the more transparent a cell is. */
function tinted(grid) {
  const small = h("canvas", { width: grid[0].length, height: grid.length });
  const context = small.getContext("2d");
  const image = context.createImageData(small.width, small.height);
  grid.flat().forEach((value, index) => image.data.set([...colour(value), 60 + 195 * value], index * 4));
  context.putImageData(image, 0, 0);
  return small;
}

/** Draws the grid of an explanation onto a picture of this size. `corners` run clockwise from the top left. */
export function drawHeat(canvas, explanation, width, height) {
  const scale = Math.min(1, MOST_PIXELS / Math.max(width, height));
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  if (!explanation?.grid?.length) return;
  const small = tinted(explanation.grid);
  const [[x, y], [rightX, rightY], , [downX, downY]] = explanation.corners.map((point) => point.map((p) => p * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.setTransform(
    (rightX - x) / small.width,
    (rightY - y) / small.width,
    (downX - x) / small.height,
    (downY - y) / small.height,
    x,
    y,
  );
  context.drawImage(small, 0, 0);
}
