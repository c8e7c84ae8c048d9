/** The Totals view: the counts of `/stats` as charts, updated while it is open. */

import * as api from "./api.js";
import { Chart, columnsChart, rowsChart } from "./charts.js";
import { $, h } from "./dom.js";
import { showError } from "./error-panel.js";
import { capital, plural, ratio } from "./format.js";
import { allLevels, colour, emoji, levelOf } from "./levels.js";
import { service } from "./service.js";
import { textsFor } from "./texts.js";

const EVERY_MS = 5000;
const SLOWEST_MS = 60_000;

/** The routes that read pictures. Files of the page and probes say nothing about the use of the service. */
const READS = /^\/(predict|analyze|stream)/;

const count = (value) => value.toLocaleString("en");
const sum = (values) => values.reduce((total, value) => total + value, 0);

/** The counts of all models added up. */
function combined(models) {
  const [first, ...rest] = Object.values(models);
  if (!first) return null;
  const add = (a, b) => a.map((value, index) => value + b[index]);
  return rest.reduce(
    (all, model) => ({
      ...all,
      faces: all.faces + model.faces,
      uncertain: all.uncertain + model.uncertain,
      labels: Object.fromEntries(
        [...new Set([...Object.keys(all.labels), ...Object.keys(model.labels)])].map((label) => [label, (all.labels[label] ?? 0) + (model.labels[label] ?? 0)]),
      ),
      confidence: { ...all.confidence, counts: add(all.confidence.counts, model.confidence.counts) },
      latency_ms: { ...all.latency_ms, counts: add(all.latency_ms.counts, model.latency_ms.counts) },
    }),
    first,
  );
}

/** The upper bound of the bin that holds the median. */
function median({ bounds, counts }) {
  const half = sum(counts) / 2;
  let passed = 0;
  const index = counts.findIndex((number) => (passed += number) >= half && passed > 0);
  return bounds[index] ?? null;
}

function since(seconds) {
  if (seconds < 90) return plural(Math.round(seconds), "second");
  if (seconds < 5400) return plural(Math.round(seconds / 60), "minute");
  if (seconds < 129_600) return plural(Math.round(seconds / 3600), "hour");
  return plural(Math.round(seconds / 86_400), "day");
}

class Totals {
  #timer = 0;
  #open = false;
  #delay = EVERY_MS;
  #charts = null;
  #stats = null;
  #drawn = "";
  #watching = false;
  #figures = h("dl", { class: "figures" });

  enter() {
    if (!this.#watching) {
      this.#watching = true;
      window.addEventListener("resize", () => this.#stats && this.#draw());
      document.addEventListener("visibilitychange", () => !document.hidden && this.#open && this.#refresh());
      service.addEventListener("loaded", () => this.#stats && this.#open && this.#build());
    }
    this.#open = true;
    this.#refresh();
  }

  leave() {
    this.#open = false;
    clearTimeout(this.#timer);
  }

  async #refresh() {
    clearTimeout(this.#timer);
    try {
      const stats = await api.stats();
      this.#delay = EVERY_MS;
      const text = JSON.stringify({ ...stats, uptime_seconds: 0, request_id: "" });
      this.#stats = stats;
      if (!this.#charts) this.#build();
      else if (text !== this.#drawn) this.#draw();
      this.#drawn = text;
    } catch (error) {
      if (error.code === "not_found") return this.#showOff();
      if (!this.#charts) return this.#showError(error);
      // The last figures stay, and the service is asked less often until it answers again.
      this.#delay = Math.min(Math.max(2 * this.#delay, 1000 * (error.retryAfter ?? 0)), SLOWEST_MS);
    }
    clearTimeout(this.#timer);
    if (this.#open && !document.hidden) this.#timer = setTimeout(() => this.#refresh(), this.#delay);
  }

  #showOff() {
    this.#charts = null;
    $("totals-body").replaceChildren(h("div", { class: "error" }, h("h2", { class: "error__title" }, "Totals are switched off"), h("p", {}, "Whoever runs this service chose not to count (STATS=false). Everything else works as usual.")));
  }

  #showError(error) {
    const place = h("div");
    $("totals-body").replaceChildren(place);
    const end = showError(place, error, {
      again: () => {
        end();
        this.#refresh();
      },
    }, { small: true });
  }

  #build() {
    const [, fair, sure] = allLevels();
    this.#charts = {
      labels: new Chart("Expressions", "What faces appeared to show.", ["Expression", "Faces", "Share"]),
      confidence: new Chart("How sure", `Faces by confidence: sure from ${ratio(sure.from)}, uncertain below ${ratio(fair.from)}.`, ["Confidence", "Faces"]),
      latency: new Chart("How fast", "Pictures by the time from the request to the response.", ["Time", "Pictures"]),
      errors: new Chart("What went wrong", "Requests and photos that ended in an error. A photo without a face is none.", ["Error", "Times"]),
      warnings: new Chart("What was noted", "Notes on the quality of photos.", ["Note", "Photos"]),
      requests: new Chart("What was asked", "Requests that brought pictures, by address.", ["Address", "Requests"]),
    };
    const charts = h("div", { class: "charts" }, Object.values(this.#charts).map((chart) => chart.element));
    $("totals-body").replaceChildren(this.#figures, charts);
    this.#draw();
  }

  #draw() {
    const { requests, errors, warnings, pictures, faces, models, uptime_seconds: uptime } = this.#stats;
    const all = combined(models);
    const { no_face_detected: faceless = 0, ...faults } = errors;
    const figure = (name, value, note) => h("div", {}, h("dt", {}, name), h("dd", {}, value, h("small", {}, note)));
    this.#figures.replaceChildren(
      figure("Pictures read", count(pictures), `since the start ${since(uptime)} ago`),
      figure("Faces", count(faces), pictures ? `${(faces / pictures).toFixed(2)} a picture` : "none yet"),
      figure("Photos without a face", count(faceless), "frames of streams not counted"),
      figure("Uncertain", all?.faces ? ratio(all.uncertain / all.faces) : "–", all ? `${plural(all.uncertain, "face")} of ${count(all.faces)} read` : "none yet"),
      figure("Middle time", all && median(all.latency_ms) ? short(median(all.latency_ms)) : "–", "or less for half of the pictures"),
      figure("Errors", count(sum(Object.values(faults))), "requests and photos that failed"),
    );
    this.#drawLabels(all);
    this.#drawConfidence(all);
    this.#drawLatency(all);
    const named = (counts, name) => Object.entries(counts).sort((a, b) => b[1] - a[1]).map(([key, value]) => [name(key), value, count(value)]);
    this.#list("errors", named(faults, (code) => textsFor(code).title));
    this.#list("warnings", named(warnings, (code) => capital(code.replaceAll("_", " "))));
    this.#list("requests", named(requests, (route) => route).filter(([route]) => READS.test(route)));
  }

  #list(name, items) {
    this.#charts[name].element.hidden = !items.length;
    if (items.length) this.#charts[name].update((width) => rowsChart(items, width), items.map(([title, , note]) => [title, note]));
  }

  #drawLabels(all) {
    const total = all?.faces || 1;
    const labels = [...new Set([...service.labels, ...Object.keys(all?.labels ?? {})])];
    const items = labels.map((label) => [`${emoji(label)} ${capital(label)}`, all?.labels[label] ?? 0, colour(label)]);
    this.#charts.labels.update(
      (width) => rowsChart(items.map(([name, value, fill]) => [name, value, `${count(value)} · ${ratio(value / total)}`, fill]), width),
      items.map(([name, value]) => [name, count(value), ratio(value / total)]),
    );
  }

  #drawConfidence(all) {
    if (!all) return this.#charts.confidence.element.setAttribute("hidden", "");
    this.#charts.confidence.element.removeAttribute("hidden");
    const columns = bins(all.confidence, ratio, "100 %").map((bin, index, every) => ({ ...bin, level: levelOf(((every[index - 1]?.bound ?? 0) + (bin.bound ?? 1)) / 2 + 1e-9) }));
    this.#charts.confidence.update((width) => columnsChart(thinned(columns, width), width), columns.map(tableRow));
  }

  #drawLatency(all) {
    if (!all) return this.#charts.latency.element.setAttribute("hidden", "");
    this.#charts.latency.element.removeAttribute("hidden");
    const every = bins(all.latency_ms, short, "more");
    const last = Math.max(every.findLastIndex((bin) => bin.count > 0), 6);
    const columns = every.slice(0, last + 1);
    this.#charts.latency.update((width) => columnsChart(thinned(columns, width), width), columns.map(tableRow));
  }
}

/** The bins of a histogram of `/stats`, which has one count more than bounds: the last bin is open. */
function bins({ bounds, counts }, format, last) {
  return counts.map((number, index) => ({
    count: number,
    bound: bounds[index],
    tick: index < bounds.length ? format(bounds[index]) : last,
    name: index < bounds.length ? `up to ${format(bounds[index])}` : `over ${format(bounds.at(-1))}`,
  }));
}

const tableRow = (bin) => [bin.name, count(bin.count)];

const short = (milliseconds) => (milliseconds < 1000 ? `${milliseconds} ms` : `${milliseconds / 1000} s`);

/** Leaves out every second tick if there is too little room. */
function thinned(columns, width) {
  const every = width / columns.length < 52 ? 2 : 1;
  return columns.map((column, index) => ((columns.length - 1 - index) % every ? { ...column, tick: "" } : column));
}

export const totals = new Totals();
