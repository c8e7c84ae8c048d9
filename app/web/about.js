/** The About view: how a photo is processed, with the times of the last one, and the card of each model. */

import { Chart, reliabilityChart } from "./charts.js";
import { $, copy, glyph, h } from "./dom.js";
import { capital, duration, ratio } from "./format.js";
import { emoji } from "./levels.js";
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

/** The languages of the notice, by their own names. */
const LANGUAGES = new Intl.DisplayNames("en", { type: "language" });

class About {
  #listening = false;

  enter() {
    this.#showTimes();
    this.#showCards();
    this.#showNotice();
    if (this.#listening) return;
    this.#listening = true;
    const button = document.querySelector("[data-copy='notice']");
    button.addEventListener("click", () => copy(document.querySelector("#notice-texts [data-shown]").textContent, button));
    $("notice-language").addEventListener("change", (event) => chooseNotice(event.target.value));
    service.addEventListener("loaded", () => {
      this.#showCards();
      this.#showNotice();
    });
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
    const cards = service.models.map(() => h("div", { class: "card" }));
    $("card").replaceChildren(...cards);
    service.models.forEach((model, index) => fill(cards[index], model));
  }

  /** The notice on use, as the service serves it. */
  #showNotice() {
    const { notice } = service;
    $("notice-block").hidden = !notice;
    if (!notice) return;
    const day = (date) => new Date(date).toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
    $("notice-uses").replaceChildren(
      h("p", {}, "Ruled out:"),
      h("ul", { class: "not-for" }, notice.ruled_out.map((use) => h("li", {}, use))),
      ...notice.laws.map(({ name, article, date, says }) => h("p", {}, says, h("small", { class: "law" }, `${name}, ${article}, since ${day(date)}`))),
    );
    const languages = Object.keys(notice.texts);
    const own = languages.find((language) => navigator.language.startsWith(language)) ?? languages[0];
    $("notice-language").replaceChildren(...languages.map((language) => h("option", { value: language, selected: language === own }, LANGUAGES.of(language))));
    $("notice-texts").replaceChildren(...languages.map((language) => h("blockquote", { lang: language }, notice.texts[language])));
    chooseNotice(own);
  }
}

function chooseNotice(language) {
  for (const text of $("notice-texts").children) text.toggleAttribute("data-shown", text.lang === language);
}

function fill(place, model) {
  const facts = FACTS.filter(([key]) => model[key]).map(([key, name]) => {
    const value = key === "sha256" ? `${model[key].slice(0, HASH_SHOWN)}…` : model[key];
    return [h("dt", {}, name), h("dd", { title: model[key] }, value)];
  });
  const name = model.name === service.defaultModel && service.models.length > 1 ? `${model.name}, used unless another is chosen` : model.name;
  const figures = numbers(model.metrics ?? {}).map(([title, value, says]) => h("div", {}, h("dt", {}, title), h("dd", {}, value, says && h("small", {}, says))));
  place.append(h("h3", { class: "card__name" }, name), h("dl", { class: "card__facts" }, facts));
  if (model.outputs?.length) place.append(h("h4", {}, "Beside the expressions, it gives"), h("ul", { class: "card__outputs" }, model.outputs.flatMap(furtherOutputs)));
  if (figures.length) place.append(h("dl", { class: "card__metrics" }, figures));
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

/** What each further output of a model says: a number in a range, or a probability from which something is active. */
function furtherOutputs({ kind, names, range, thresholds }) {
  return names.map((name, index) => {
    const says = kind === "regression" ? `a number from ${range[0]} to ${range[1]}` : `a probability, active from ${ratio(thresholds[index])}`;
    return h("li", {}, h("strong", {}, capital(name)), `: ${says}`);
  });
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

const ALIKE = "The mean over the expressions, so that rare ones count as much as common ones.";

/** By the name of a metric: a title, and what it means in a sentence. */
const METRICS = {
  split: ["Measured on", "Faces that it never saw while it learned. In brackets: the range that holds the figure in 95 of 100 such samples."],
  ferplus7_plurality_accuracy: ["Right on FER+ faces", "How often its first choice is the one that most people chose, of 7 expressions."],
  ferplus7_plurality_macro_recall: ["The same, each expression alike", ALIKE],
  ferplus8_majority_accuracy: ["Right where people agree", "The same on faces that most people call the same, of 8 expressions."],
  fer2013_accuracy: ["Right by the labels of FER-2013", "The same faces by the older labels of FER-2013."],
  wild_dev_accuracy: ["Right on photos from the web", "Photos that went through the whole service, from the file to the result."],
  wild_dev_macro_recall: ["The same, each expression alike", ALIKE],
  ferplus7_served_order_accuracy: ["Right on FER+ faces, ties as others break them", "Of two expressions with as many votes, the one that is listed first counts, as in other publications."],
  ferplus7_untied_accuracy: ["Right on FER+ faces without a tie", "The same without faces on which two expressions got the most votes."],
  ferplus7_macro_f1: ["F1, each expression alike", "How many faces of each expression it finds, and how many of those it names so are right. 1 is perfect."],
  ferplus7_served_order_macro_f1: ["F1, ties as others break them", "Of two expressions with as many votes, the one that is listed first counts."],
  log_loss: ["Log loss", "How little probability it gives to what people chose. 0 is perfect."],
  calibration_error: ["Calibration error", "How far its confidence is from how often it is right, on average. 0 is perfect."],
};

/** The numbers among the metrics, with their 95 % intervals where there are any: `[title, value, meaning]` each. */
function numbers(metrics) {
  return Object.entries(metrics).flatMap(([key, value]) => {
    const [name, says] = METRICS[key] ?? [capital(key.replaceAll("_", " ")), ""];
    if (typeof value === "string") return [[name, value, says]];
    if (typeof value !== "number") return [];
    const write = (number) => (/accuracy|recall/.test(key) ? `${(number * 100).toFixed(1)} %` : number.toLocaleString("en", { maximumFractionDigits: 3 }));
    const interval = metrics[`${key}_interval`];
    return [[name, interval ? `${write(value)} (${write(interval[0])} to ${write(interval[1])})` : write(value), says]];
  });
}

/** One row for each true label. The darker a cell, the larger its share of the row. */
function confusion(rows, labels) {
  // Where there is no room for the words of the columns, their emoji stand alone.
  const head = h("tr", {}, h("td", {}), labels.map((label) => h("th", { scope: "col" }, glyph(emoji(label)), h("span", { class: "confusion__word" }, capital(label)))));
  const body = rows.map((row, index) => {
    const total = row.reduce((sum, value) => sum + value, 0) || 1;
    const cells = row.map((value) => {
      const cell = h("td", { title: `${value} of ${total}` }, String(Math.round((value / total) * 100)));
      cell.style.background = `color-mix(in srgb, var(--accent) ${Math.round((value / total) * 50)}%, var(--panel))`;
      return cell;
    });
    return h("tr", {}, h("th", { scope: "row" }, glyph(emoji(labels[index])), ` ${capital(labels[index])}`), cells);
  });
  const caption = h("caption", {}, "Of 100 faces that people gave the label of a row, how many the model gave the label of a column. The diagonal is right.");
  return h("div", {}, h("table", { class: "confusion" }, caption, h("thead", {}, head), h("tbody", {}, body)));
}

export const about = new About();
