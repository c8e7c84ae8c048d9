/** Many photos: a sheet that fills as answers come, a few photos a request and one request at a time. */

import * as api from "./api.js";
import { $, capital, h, icon, percent, plural, save, say } from "./dom.js";
import { isPicture } from "./folder.js";
import { openPhoto } from "./main.js";
import { prepare, thumbnail } from "./picture.js";
import { asCsv, asRecords } from "./export.js";
import { service } from "./service.js";
import { showTrouble } from "./trouble.js";
import { emoji, level, seen, wordsFor } from "./words.js";

const A_FEW = 4;
const THUMB_SIDE = 176;

const byName = new Intl.Collator(undefined, { numeric: true });

/** Failures of the way to the service rather than of a photo: the photos wait and go out again. */
const PASSING = new Set(["rate_limited", "overloaded", "timeout", "not_ready", "offline", "unreachable", "unauthorized"]);

class Many {
  #items = [];
  #run = null;
  #filter = "all";
  #endTrouble = () => {};
  #wired = false;
  #left = 0;

  enter() {
    if (this.#wired) return;
    this.#wired = true;
    for (const kind of ["folder", "files"]) {
      $(`many-${kind}`).addEventListener("click", () => $(`many-${kind}-input`).click());
      $(`many-${kind}-input`).addEventListener("change", (event) => {
        const files = [...event.target.files];
        event.target.value = "";
        this.take(kind === "folder" ? files.filter(isPicture) : files);
      });
    }
    $("many-cancel").addEventListener("click", () => this.#cancel());
    $("many-retry").addEventListener("click", () => this.#retry());
    $("many-clear").addEventListener("click", () => this.#clear());
    $("many-csv").addEventListener("click", () => save("visage.csv", "text/csv", asCsv(this.#items, service.labels)));
    $("many-json").addEventListener("click", () => save("visage.json", "application/json", asRecords(this.#items)));
  }

  take(files) {
    if (!files.length) {
      say("There are no photos in there");
      return;
    }
    const inOrder = [...files].sort((a, b) => byName.compare(a.webkitRelativePath || a.name, b.webkitRelativePath || b.name));
    const added = inOrder.map((file) => this.#lay(file));
    this.#items.push(...added);
    $("many-sheet").append(...added.map((item) => item.tile));
    $("view-many").style.setProperty("--digits", String(this.#items.length).length);
    $("many-desk").hidden = false;
    this.#layFilters();
    this.#start();
  }

  #lay(file) {
    const item = { file, name: file.webkitRelativePath || file.name, state: "waiting", result: null };
    item.picture = h("button", { type: "button", onclick: () => openPhoto(file) });
    item.label = h("p", { class: "tile__label" });
    item.tile = h("li", { class: "tile" }, item.picture, item.label, h("p", { class: "tile__name", title: item.name }, file.name));
    this.#dress(item);
    return item;
  }

  /** Writes an item's state into its tile. */
  #dress(item) {
    const { state, result, tile, label, picture, file } = item;
    let words;
    if (state === "done") {
      const grade = level(result.confidence, result.is_uncertain);
      tile.dataset.level = grade;
      words = `${capital(seen(result.emotion))} ${percent(result.confidence)}${grade === "low" ? "?" : ""}`;
      label.replaceChildren(icon(grade), h("span", { class: "emoji", "aria-hidden": "true" }, emoji(result.emotion)), words);
      if (grade === "low") words += ", uncertain";
    } else if (state === "failed") {
      tile.dataset.level = "failed";
      words = wordsFor(result.error).title;
      label.replaceChildren(icon("warn"), words);
    } else {
      tile.dataset.level = state;
      words = state === "stopped" ? "Not read" : "Waiting";
      label.replaceChildren(words);
    }
    picture.setAttribute("aria-label", `${file.name}: ${words}. Open it alone`);
    tile.dataset.label = state === "done" ? result.emotion : state;
    this.#applyFilter(item);
  }

  #start() {
    if (this.#run) return this.#count();
    this.#endTrouble();
    this.#run = new AbortController();
    $("view-many").dataset.state = "busy";
    $("many-cancel").hidden = false;
    $("many-retry").hidden = $("many-clear").hidden = true;
    this.#count();
    this.#work(this.#run.signal);
  }

  async #work(signal) {
    let ready = this.#prepareSome(signal);
    for (;;) {
      const some = await ready;
      if (signal.aborted) return;
      if (!some.length) break;
      // The next few are made ready while these are on their way.
      ready = this.#prepareSome(signal);
      try {
        await this.#send(some, signal);
      } catch (error) {
        if (signal.aborted) return;
        [...some, ...(await ready)].forEach((item) => (item.state = "waiting"));
        return this.#pause(error);
      }
      this.#count();
    }
    this.#finish();
  }

  async #prepareSome(signal) {
    const some = [];
    let bytes = 0;
    while (some.length < Math.min(A_FEW, service.limits.batchFiles) && !signal.aborted) {
      const item = this.#items.find(({ state }) => state === "waiting");
      if (!item) break;
      item.ready ??= (await prepare(item.file, service.limits.fileBytes)).file;
      if (!item.picture.childElementCount) {
        const small = await thumbnail(item.ready, THUMB_SIDE);
        if (small) item.picture.append(small);
      }
      bytes += item.ready.size;
      if (some.length && bytes > service.limits.batchBytes) break;
      if (signal.aborted) break;
      item.state = "sending";
      some.push(item);
    }
    return some;
  }

  async #send(some, signal) {
    let answers;
    try {
      const answer = await api.predictBatch(some.map((item) => item.ready), { faces: "largest" }, signal);
      answers = answer.results;
    } catch (error) {
      if (PASSING.has(error.code) || signal.aborted) throw error;
      answers = some.map(() => ({ success: false, error: error.code, message: error.message }));
    }
    some.forEach((item, index) => {
      const result = answers[index];
      item.result = result;
      item.state = result.success ? "done" : "failed";
      // The bytes as sent are not needed again unless the photo is tried again.
      if (result.success) item.ready = null;
      this.#dress(item);
    });
  }

  /** Waits for what stands in the way, shown with its own words, and goes on by itself where it can. */
  #pause(error) {
    const place = h("div");
    $("many-trouble").replaceChildren(place);
    const end = showTrouble(place, error, { again: () => this.#resume() }, { slim: true });
    this.#endTrouble = () => {
      end();
      $("many-trouble").replaceChildren();
      this.#endTrouble = () => {};
    };
  }

  #resume() {
    this.#endTrouble();
    if (this.#run) this.#work(this.#run.signal);
  }

  #cancel() {
    this.#run?.abort();
    for (const item of this.#items) {
      if (item.state === "waiting" || item.state === "sending") {
        item.state = "stopped";
        this.#dress(item);
      }
    }
    this.#finish();
  }

  #retry() {
    for (const item of this.#items) {
      if (item.state === "failed" || item.state === "stopped") {
        item.state = "waiting";
        this.#dress(item);
      }
    }
    this.#start();
    $("many-cancel").focus();
  }

  #clear() {
    this.#items = [];
    this.#filter = "all";
    $("many-sheet").replaceChildren();
    $("many-desk").hidden = true;
    $("view-many").dataset.state = "empty";
    $("many-folder").focus();
  }

  #finish() {
    this.#endTrouble();
    this.#run = null;
    const hadFocus = document.activeElement === $("many-cancel");
    $("view-many").dataset.state = "done";
    $("many-cancel").hidden = true;
    $("many-clear").hidden = false;
    const left = this.#items.filter((item) => item.state === "failed" || item.state === "stopped");
    $("many-retry").hidden = !left.length;
    $("many-retry").textContent = left.some((item) => item.state === "stopped") ? "Read the rest" : "Retry what failed";
    if (hadFocus) (left.length ? $("many-retry") : $("many-clear")).focus();
    this.#count();
    say($("many-count").textContent);
  }

  #count() {
    const total = this.#items.length;
    const by = (state) => this.#items.filter((item) => item.state === state).length;
    const done = by("done");
    const failed = by("failed");
    const over = done + failed;
    const parts = [`${done.toLocaleString("en")} of ${plural(total, "photo")} read`];
    if (failed) parts.push(`${failed} could not be`);
    if (by("stopped")) parts.push("stopped");
    $("many-count").textContent = parts.join(", ");
    const share = total ? over / total : 0;
    $("many-meter").setAttribute("aria-valuenow", Math.round(share * 100));
    $("many-meter").firstElementChild.style.transform = `scaleX(${share})`;
    $("many-csv").disabled = $("many-json").disabled = !over;
    this.#countFilters();
    const quarter = Math.floor(share * 4);
    if (quarter !== this.#left && this.#run) say($("many-count").textContent);
    this.#left = quarter;
  }

  #layFilters() {
    const names = ["all", ...service.labels, "uncertain", "failed"];
    if ($("many-filters").childElementCount === names.length) return;
    $("many-filters").replaceChildren(
      ...names.map((name) => {
        const text = service.labels.includes(name) ? capital(seen(name)) : { all: "All", uncertain: "Uncertain", failed: "Not read" }[name];
        const button = h("button", { type: "button", "aria-pressed": name === this.#filter, data: { filter: name } }, text, " ", h("span", { class: "filters__count" }, "0"));
        button.addEventListener("click", () => this.#choose(name));
        return button;
      }),
    );
  }

  #matches(item, name) {
    if (name === "all") return true;
    if (name === "failed") return item.state === "failed" || item.state === "stopped";
    if (item.state !== "done") return false;
    if (name === "uncertain") return level(item.result.confidence, item.result.is_uncertain) === "low";
    return item.result.emotion === name;
  }

  #countFilters() {
    for (const button of $("many-filters").children) {
      button.lastChild.textContent = this.#items.filter((item) => this.#matches(item, button.dataset.filter)).length;
    }
  }

  #choose(name) {
    this.#filter = name;
    for (const button of $("many-filters").children) button.setAttribute("aria-pressed", button.dataset.filter === name);
    this.#items.forEach((item) => this.#applyFilter(item));
    say(`${plural(this.#items.filter((item) => this.#matches(item, name)).length, "photo")} shown`);
  }

  #applyFilter(item) {
    item.tile.hidden = !this.#matches(item, this.#filter);
  }
}

export const many = new Many();
