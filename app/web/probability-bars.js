/** One bar for each label, in the model's order, so that a label is always in the same place. */

import { h } from "./dom.js";
import { capital, percent } from "./format.js";
import { emoji } from "./texts.js";

export class Bars {
  #place;
  #rows = new Map();

  constructor(place, labels) {
    this.#place = place;
    this.labels = labels;
    const list = h("ul", { class: "bars__list", "aria-label": "All expressions" });
    for (const label of labels) {
      const fill = h("span", { class: "bar__fill" });
      const value = h("span", { class: "bar__value" });
      const row = h(
        "li",
        { class: "bar" },
        h("span", { class: "emoji", "aria-hidden": "true" }, emoji(label)),
        h("span", {}, capital(label)),
        h("span", { class: "bar__track", "aria-hidden": "true" }, fill),
        value,
      );
      this.#rows.set(label, { row, fill, value });
      list.append(row);
    }
    place.replaceChildren(list);
  }

  /** Shows a prediction; `level` says how sure it is. */
  show(probabilities, top, level) {
    this.#place.dataset.level = level;
    for (const [label, { row, fill, value }] of this.#rows) {
      const share = probabilities[label] ?? 0;
      fill.style.transform = `translateX(${(share - 1) * 100}%)`;
      value.textContent = percent(share);
      row.toggleAttribute("data-top", label === top);
    }
  }

  clear() {
    this.#place.dataset.level = "none";
    for (const { row, fill, value } of this.#rows.values()) {
      fill.style.transform = "";
      value.textContent = "";
      row.removeAttribute("data-top");
    }
  }
}
