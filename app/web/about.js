/** The About view: how a photo is processed, with the times of the last one, and the card of each model. */

import { Chart, reliabilityChart } from "./charts.js";
import { $, copy, h } from "./dom.js";
import { capital, duration, ratio } from "./format.js";
import { photo } from "./one-photo.js";
import { service } from "./service.js";

const FACTS = [
  ["version", "Version"],
  ["architecture", "Network"],
  ["trained_on", "Trained on"],
  ["license", "Licence"],
  ["sha256", "SHA-256"],
];

const HASH_SHOWN = 16;

class About {
  #listening = false;

  enter() {
    this.#showTimes();
    this.#showCards();
    if (this.#listening) return;
    this.#listening = true;
    const button = document.querySelector("[data-copy='notice']");
    button.addEventListener("click", () => copy($("notice").textContent, button));
    service.addEventListener("loaded", () => this.#showCards());
  }

  #showTimes() {
    const timings = photo.last?.result.timings_ms;
    $("step-times").textContent = timings ? "In colour: how long each step took for your last photo." : "Read a photo, and each step shows how long it took.";
    for (const step of $("steps").children) {
      step.querySelector(".steps__time")?.remove();
      const took = timings?.[step.dataset.stage];
      if (took !== undefined) step.append(h("p", { class: "steps__time" }, duration(took)));
    }
  }

  #showCards() {
    if (!service.models.length) {
      $("card").replaceChildren(h("p", { class: "lead" }, "The service has not said which model it runs. Its card shows here once it is ready."));
      return;
    }
    $("card").replaceChildren(...service.models.map((model) => h("div", { class: "card" })));
    service.models.forEach((model, index) => fill($("card").children[index], model));
  }
}

function fill(place, model) {
  const facts = FACTS.filter(([key]) => model[key]).map(([key, name]) => {
    const value = key === "sha256" ? `${model[key].slice(0, HASH_SHOWN)}…` : model[key];
    return [h("dt", {}, name), h("dd", { title: model[key] }, value)];
  });
  const name = model.name === service.defaultModel && service.models.length > 1 ? `${model.name}, used unless another is chosen` : model.name;
  const figures = numbers(model.metrics ?? {}).map(([key, value]) => [h("dt", {}, key), h("dd", {}, value)]);
  place.append(h("h3", { class: "card__name" }, name), h("dl", { class: "card__facts" }, facts));
  if (figures.length) place.append(h("dl", { class: "card__facts" }, figures));
  const matrix = find(model.metrics, /confusion/i);
  const labels = matrix?.labels ?? model.labels;
  const rows = matrix?.matrix ?? matrix?.rows ?? matrix;
  if (Array.isArray(rows) && Array.isArray(rows[0]) && rows.length === labels.length) place.append(confusion(rows, labels));
  const found = find(model.metrics, /reliability/i);
  const bins = (found?.bins ?? found)?.filter?.((bin) => bin.faces !== 0 && Number.isFinite(bin.accuracy));
  if (bins?.length) {
    const chart = new Chart("Is it as sure as it is right?", "On the dashed line it is. Larger dots stand for more faces.", ["How sure", "Right", "Faces"]);
    place.append(chart.element);
    chart.update((width) => reliabilityChart(bins, width), bins.map((bin) => [ratio(bin.confidence), ratio(bin.accuracy), String(bin.faces ?? "")]));
  }
}

/** The first object among the metrics, at any depth, whose name matches. */
function find(metrics, pattern) {
  if (!metrics || typeof metrics !== "object" || Array.isArray(metrics)) return null;
  for (const [key, value] of Object.entries(metrics)) {
    if (pattern.test(key) && value && typeof value === "object") return value;
  }
  for (const value of Object.values(metrics)) {
    const found = find(value, pattern);
    if (found) return found;
  }
  return null;
}

const NAMES = {
  split: "Measured on",
  ferplus7_plurality_accuracy: "Right, FER+ faces, 7 labels",
  ferplus7_plurality_macro_recall: "The same, each label alike",
  ferplus8_majority_accuracy: "Right, FER+ faces, 8 labels, majority",
  fer2013_accuracy: "Right, FER-2013 labels",
  wild_dev_accuracy: "Right, photos from the web",
  wild_dev_macro_recall: "The same, each label alike",
  calibration_error: "Calibration error",
};

/** The numbers among the metrics, each with its 95 % interval where there is one. */
function numbers(metrics) {
  return Object.entries(metrics).flatMap(([key, value]) => {
    const name = NAMES[key] ?? capital(key.replaceAll("_", " "));
    if (typeof value === "string") return [[name, value]];
    if (typeof value !== "number") return [];
    const write = (number) => (/accuracy|recall/.test(key) ? `${(number * 100).toFixed(1)} %` : number.toLocaleString("en", { maximumFractionDigits: 3 }));
    const interval = metrics[`${key}_interval`];
    return [[name, interval ? `${write(value)} (${write(interval[0])} to ${write(interval[1])})` : write(value)]];
  });
}

/** One row for each true label. The darker a cell, the larger its share of the row. */
function confusion(rows, labels) {
  const head = h("tr", {}, h("td", {}), labels.map((label) => h("th", { scope: "col" }, capital(label))));
  const body = rows.map((row, index) => {
    const total = row.reduce((sum, value) => sum + value, 0) || 1;
    const cells = row.map((value) => {
      const cell = h("td", { title: `${value} of ${total}` }, String(Math.round((value / total) * 100)));
      cell.style.background = `color-mix(in srgb, var(--accent) ${Math.round((value / total) * 50)}%, var(--panel))`;
      return cell;
    });
    return h("tr", {}, h("th", { scope: "row" }, capital(labels[index])), cells);
  });
  const caption = h("caption", {}, "Of 100 faces that people gave the label of a row, how many the model gave the label of a column.");
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Confusion matrix" }, h("table", { class: "confusion" }, caption, h("thead", {}, head), h("tbody", {}, body)));
}

export const about = new About();
