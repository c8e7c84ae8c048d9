/** The probability of each label, as it is and over the last minute. One row for each label. */

import { glyph, h } from "./dom.js";
import { capital, percent } from "./format.js";
import { emoji } from "./levels.js";

const SPAN_MS = 60_000;
const GAP_MS = 2500;

export class Timeline {
  #place;
  #rows = new Map();
  #samples = [];
  #drawing = 0;

  constructor(place, labels) {
    this.#place = place;
    this.labels = labels;
    place.replaceChildren(
      ...labels.map((label) => {
        const canvas = h("canvas", { "aria-hidden": "true" });
        const fill = h("span", { class: "bar__fill" });
        const value = h("span", { class: "bar__value" }, "–");
        const row = h(
          "div",
          { class: "timeline__row" },
          glyph(emoji(label)),
          h("span", {}, capital(label)),
          canvas,
          h("span", { class: "bar__track", "aria-hidden": "true" }, fill),
          value,
        );
        this.#rows.set(label, { row, canvas, fill, value });
        return row;
      }),
      h("div", { class: "timeline__row timeline__axis", "aria-hidden": "true" }, h("span", {}, h("span", {}, "a minute ago"), h("span", {}, "just then"))),
    );
  }

  /** Adds the probabilities of one frame; null if it showed no face. */
  add(shares, top) {
    const at = performance.now();
    this.#samples.push({ at, shares, top });
    while (at - this.#samples[0].at > SPAN_MS) this.#samples.shift();
    for (const [label, { row, fill, value }] of this.#rows) {
      const share = shares?.[label] ?? 0;
      fill.style.transform = `translateX(${(share - 1) * 100}%)`;
      value.textContent = shares ? percent(share) : "–";
      row.toggleAttribute("data-top", label === top);
    }
    if (!this.#drawing) {
      this.#drawing = requestAnimationFrame(() => {
        this.#drawing = 0;
        this.#draw();
      });
    }
  }

  /** Another face follows: nothing joins it to the one before. */
  gap() {
    if (this.#samples.length) this.#samples.push({ at: performance.now(), shares: null, top: "" });
  }

  clear() {
    this.#samples = [];
    for (const { row, canvas, fill, value } of this.#rows.values()) {
      canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
      fill.style.transform = "";
      value.textContent = "–";
      row.removeAttribute("data-top");
    }
  }

  #draw() {
    const at = performance.now();
    const style = getComputedStyle(document.documentElement);
    const plain = style.getPropertyValue("--control");
    const strong = getComputedStyle(this.#place).getPropertyValue("--level") || style.getPropertyValue("--accent");
    for (const [label, { canvas }] of this.#rows) {
      const ratio = devicePixelRatio || 1;
      const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
      if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
      const context = canvas.getContext("2d");
      context.clearRect(0, 0, width, height);
      const step = width / SPAN_MS;
      this.#samples.forEach((sample, index) => {
        if (!sample.shares) return;
        const next = this.#samples[index + 1];
        const until = next ? Math.min(next.at, sample.at + GAP_MS) : at;
        const tall = Math.max((sample.shares[label] ?? 0) * (height - 2), ratio);
        context.fillStyle = sample.top === label ? strong : plain;
        // Whole pixels, because fractions leave gaps between neighbours.
        const left = Math.floor(width - (at - sample.at) * step);
        const right = Math.ceil(width - (at - until) * step);
        context.fillRect(left, height - tall, right - left, tall);
      });
    }
  }
}
