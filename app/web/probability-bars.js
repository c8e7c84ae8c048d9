/** One bar for each label that is not nearly nothing, in the model's order, and one line for the others. */

import { glyph, h } from "./dom.js";
import { capital, percent } from "./format.js";
import { emoji } from "./levels.js";

const LEAST = 0.005;

/** The labels that are more than nearly nothing in one of several predictions, and those of `kept`. */
export function seen(predictions, kept = []) {
  const labels = Object.keys(predictions[0]);
  return labels.filter((label) => kept.includes(label) || predictions.some((probabilities) => (probabilities[label] ?? 0) >= LEAST));
}

export class Bars {
  #place;
  #rows = new Map();
  /** The labels that have a bar. */
  shown = [];

  constructor(place) {
    this.#place = place;
  }

  /** Makes the rows: a bar for each label of `shown`, a word in the last line for the others. */
  build(labels, shown) {
    this.shown = shown;
    this.#rows.clear();
    const list = h("ul", { class: "bars__list", "aria-label": "Expressions" });
    for (const label of shown) {
      const fill = h("span", { class: "bar__fill" });
      const value = h("span", { class: "bar__value" });
      const row = h(
        "li",
        { class: "bar" },
        glyph(emoji(label)),
        h("span", {}, capital(label)),
        h("span", { class: "bar__track", "aria-hidden": "true" }, fill),
        value,
      );
      this.#rows.set(label, { row, fill, value });
      list.append(row);
    }
    const others = labels.filter((label) => !shown.includes(label));
    this.#place.replaceChildren(list, others.length ? h("p", { class: "bars__rest" }, `Under 1 %: ${others.join(", ")}`) : "");
  }

  /** Shows a prediction; `level` says how sure it is. */
  show(probabilities, top, level) {
    this.#place.dataset.level = level;
    for (const [label, { row, fill, value }] of this.#rows) {
      const share = probabilities[label] ?? 0;
      fill.style.transform = `translateX(${(share - 1) * 100}%)`;
      value.replaceChildren(percent(share));
      row.toggleAttribute("data-top", label === top);
    }
  }
}
