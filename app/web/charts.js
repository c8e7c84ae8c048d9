/** Charts in SVG, each with its figures in a table. */

import { h, svg } from "./dom.js";

const ROW = 34;
const ROW_WITH_NAME_ABOVE = 48;
const LETTER = 7.2;
const COLUMNS_HEIGHT = 190;
const MARGIN_BELOW = 26;

/** A chart that is redrawn in place when its figures change. */
export class Chart {
  #plot = h("div");
  #table = h("tbody");

  constructor(title, hint, heads) {
    this.title = title;
    const head = h("thead", {}, h("tr", {}, heads.map((text, index) => h("th", { scope: "col", class: index ? "num" : "" }, text))));
    const figures = h("details", {}, h("summary", {}, "Figures"), h("div", { class: "scroll" }, h("table", {}, head, this.#table)));
    this.element = h("section", { class: "chart" }, h("h2", {}, title), h("p", {}, hint), this.#plot, figures);
  }

  /** `draw(width)` returns the SVG; `rows` are the rows of the table. */
  update(draw, rows) {
    const width = Math.max(this.element.clientWidth, 240);
    const drawing = draw(width);
    drawing.setAttribute("role", "img");
    drawing.setAttribute("aria-label", `${this.title}. ${rows.slice(0, 4).map(([name, ...values]) => `${name}: ${values.join(", ")}`).join("; ")}`);
    this.#plot.replaceChildren(drawing);
    this.#table.replaceChildren(
      ...rows.map(([name, ...values]) => h("tr", {}, h("th", { scope: "row" }, name), values.map((value) => h("td", { class: "num" }, value)))),
    );
  }
}

const canvas = (width, height) => svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height });
const text = (x, y, content, attributes = {}) => svg("text", { x, y, ...attributes }, String(content));

/** Horizontal bars: `[name, count, note, colour]` each. A name that takes too much of the width is written above its bar. */
export function rowsChart(items, width) {
  const most = Math.max(...items.map(([, count]) => count), 1);
  const longest = Math.max(...items.map(([name]) => name.length)) * LETTER + 12;
  const above = longest > width * 0.42;
  const left = above ? 0 : longest;
  const right = above ? 0 : 92;
  const row = above ? ROW_WITH_NAME_ABOVE : ROW;
  const root = canvas(width, items.length * row);
  items.forEach(([name, count, note, colour], index) => {
    const y = (index + 1) * row - ROW / 2;
    const room = width - left - right;
    const written = above ? y - 13 : y + 4;
    const bar = svg("rect", { class: "fill", x: left, y: y - 5, width: count ? Math.max((count / most) * room, 4) : 0, height: 10, rx: 5 });
    if (colour) bar.style.fill = colour;
    root.append(
      text(0, written, name, { class: "strong" }),
      svg("rect", { class: "rail", x: left, y: y - 5, width: room, height: 10, rx: 5 }),
      bar,
      text(width, written, note, { "text-anchor": "end" }),
    );
  });
  return root;
}

/** Columns: `{ count, tick, level }` each. The tick is written at the right edge of its column. */
export function columnsChart(columns, width) {
  const most = Math.max(...columns.map(({ count }) => count), 1);
  const root = canvas(width, COLUMNS_HEIGHT + MARGIN_BELOW);
  const step = width / columns.length;
  root.append(svg("line", { class: "axis", x1: 0, x2: width, y1: COLUMNS_HEIGHT, y2: COLUMNS_HEIGHT }));
  columns.forEach(({ count, tick, level }, index) => {
    const tall = count ? Math.max((count / most) * (COLUMNS_HEIGHT - 22), 2) : 0;
    const x = index * step;
    root.append(svg("rect", { class: "fill", ...(level && { "data-level": level }), x: x + 1.5, y: COLUMNS_HEIGHT - tall, width: Math.max(step - 3, 1), height: tall }));
    if (count === most) root.append(text(x + step / 2, COLUMNS_HEIGHT - tall - 7, count.toLocaleString("en"), { "text-anchor": "middle", class: "strong" }));
    if (tick) root.append(text(x + step, COLUMNS_HEIGHT + 18, tick, { "text-anchor": index === columns.length - 1 ? "end" : "middle" }));
  });
  return root;
}

/** How often the model is right, by its confidence. On the dashed line both are equal. */
export function reliabilityChart(bins, width) {
  const side = Math.min(width, 420);
  const [left, below] = [44, 40];
  const room = side - left - 8;
  const x = (share) => left + share * room;
  const y = (share) => 8 + (1 - share) * room;
  const root = canvas(side, room + below + 8);
  const most = Math.max(...bins.map(({ faces }) => faces ?? 0), 1);
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    root.append(
      svg("line", { class: "axis", x1: left, x2: x(1), y1: y(share), y2: y(share) }),
      text(left - 8, y(share) + 4, `${share * 100}`, { "text-anchor": "end" }),
      text(x(share), y(0) + 18, `${share * 100}`, { "text-anchor": share === 1 ? "end" : "middle" }),
    );
  }
  root.append(
    svg("line", { class: "guide", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }),
    svg("polyline", { class: "line", points: bins.map((bin) => `${x(bin.confidence)},${y(bin.accuracy)}`).join(" ") }),
    ...bins.map((bin) => svg("circle", { class: "fill", cx: x(bin.confidence), cy: y(bin.accuracy), r: 3 + 5 * Math.sqrt((bin.faces ?? 0) / most) })),
    text(x(0.5), y(0) + 36, "How sure it is, %", { "text-anchor": "middle" }),
    text(0, 0, "How often right, %", { "text-anchor": "middle", transform: `translate(10 ${y(0.5)}) rotate(-90)` }),
  );
  root.style.maxWidth = `${side}px`;
  return root;
}
