/** The Many view: a grid that fills as results arrive, a few photos per request and one request at a time. */

import * as api from "./api.js";
import { $, announce, focusIfLost, glyph, h, icon, listen, save } from "./dom.js";
import { isPicture } from "./dropped-files.js";
import { showError } from "./error-panel.js";
import { asCsv, asRecords } from "./export.js";
import { capital, megabytes, percent, plural } from "./format.js";
import { emoji, levelEmoji, shownLevel } from "./levels.js";
import { device } from "./on-device.js";
import { prepare, thumbnail } from "./picture-file.js";
import { service } from "./service.js";
import { adjective, LEVELS, textsFor } from "./texts.js";

/** Photos in a request: one after several were too much for a proxy or a slow connection. */
let most = 4;
const THUMB_SIDE = 176;

const byName = new Intl.Collator(undefined, { numeric: true });

/** Errors of the connection, the service or the engine rather than of a photo: the photos wait and are read again. */
const TEMPORARY = new Set([
  ...["rate_limited", "overloaded", "not_ready", "offline", "unreachable", "unauthorized"],
  ...["unsupported_browser", "model_file_unreachable", "model_file_missing", "model_file_mismatch", "engine_failed"],
]);

/** As the service's bounds and the client's rate allow. */
const photosPerRequest = () => Math.min(most, service.limits.batchFiles, service.allowance?.limit ?? Infinity);

const line = (symbol, text) => h("span", {}, glyph(symbol), ` ${text}`);

class Many {
  #items = [];
  #run = null;
  #filter = "all";
  #hideError = () => {};
  #listening = false;
  #announcedQuarter = 0;
  #openPhoto;

  enter(openPhoto) {
    this.#openPhoto = openPhoto;
    if (this.#listening) return;
    this.#listening = true;
    this.#showLimits();
    service.addEventListener("loaded", () => this.#showLimits());
    for (const kind of ["folder", "files"]) {
      $(`many-${kind}`).addEventListener("click", () => $(`many-${kind}-input`).click());
      $(`many-${kind}-input`).addEventListener("change", (event) => {
        const files = [...event.target.files];
        event.target.value = "";
        this.take(kind === "folder" ? files.filter(isPicture) : files);
      });
    }
    listen("many-cancel", "click", () => this.#cancel());
    listen("many-retry", "click", () => this.#retry());
    listen("many-clear", "click", () => this.#clear());
    listen("many-csv", "click", () => save("visage.csv", "text/csv", asCsv(this.#items)));
    listen("many-json", "click", () => save("visage.json", "application/json", asRecords(this.#items)));
  }

  #showLimits() {
    const { fileSize } = service.limits;
    $("many-limits").textContent = `Up to ${fileSize} a photo, ${plural(photosPerRequest(), "photo")} a request; the page makes larger ones smaller. A folder may hold any number.`;
  }

  take(files) {
    if (!files.length) return announce(($("many-limits").textContent = "There are no photos in this folder."));
    this.#showLimits();
    const inOrder = [...files].sort((a, b) => byName.compare(a.webkitRelativePath || a.name, b.webkitRelativePath || b.name));
    const added = inOrder.map((file) => this.#addTile(file));
    this.#items.push(...added);
    $("many-tiles").append(...added.map((item) => item.tile));
    $("view-many").style.setProperty("--digits", String(this.#items.length).length);
    $("many-overview").hidden = false;
    this.#buildFilters();
    this.#start();
  }

  #addTile(file) {
    const item = { file, name: file.webkitRelativePath || file.name, state: "waiting", result: null };
    item.picture = h("button", { type: "button", onclick: () => this.#openPhoto(file) });
    item.label = h("p", { class: "tile__label" });
    item.tile = h("li", { class: "tile", title: item.name }, item.picture, item.label, h("p", { class: "tile__name" }, file.name));
    this.#showState(item);
    return item;
  }

  /** Shows an item's state in its tile. */
  #showState(item) {
    const { state, result, tile, label, picture, file } = item;
    let text;
    if (state === "done") {
      const level = shownLevel(result);
      tile.dataset.level = level;
      const [what, sure] = [capital(adjective(result.emotion)), percent(result.confidence)];
      label.replaceChildren(line(emoji(result.emotion), what), line(levelEmoji(level), sure));
      text = `${what}, ${sure}, ${LEVELS[level].sure}`;
    } else if (state === "failed") {
      tile.dataset.level = "failed";
      text = textsFor(result.error).title;
      label.replaceChildren(h("span", {}, icon("warn"), text));
      tile.title = `${item.name}, ${megabytes(file.size)}: ${result.message}`;
    } else {
      tile.dataset.level = state;
      text = state === "stopped" ? "Not read" : "Waiting";
      label.replaceChildren(h("span", {}, text));
    }
    picture.setAttribute("aria-label", `${file.name}: ${text}. Open this photo`);
    tile.dataset.label = state === "done" ? result.emotion : state;
    this.#applyFilter(item);
  }

  #start() {
    if (this.#run) return this.#count();
    this.#hideError();
    this.#run = new AbortController();
    $("view-many").dataset.state = "busy";
    $("many-cancel").hidden = false;
    $("many-retry").hidden = $("many-clear").hidden = true;
    this.#count();
    this.#work(this.#run.signal);
  }

  async #work(signal) {
    let ready = this.#prepareBatch(signal);
    for (;;) {
      const batch = await ready;
      if (signal.aborted) return;
      if (!batch.length) break;
      // The next few are prepared while these are sent.
      ready = this.#prepareBatch(signal);
      try {
        await this.#send(batch, signal);
      } catch (error) {
        if (signal.aborted) return;
        [...batch, ...(await ready)].forEach((item) => (item.state = "waiting"));
        if (TEMPORARY.has(error.code)) return this.#pause(error);
        most = 1;
        ready = this.#prepareBatch(signal);
      }
      this.#count();
    }
    this.#finish();
  }

  async #prepareBatch(signal) {
    const batch = [];
    let bytes = 0;
    while (batch.length < photosPerRequest() && !signal.aborted) {
      const item = this.#items.find(({ state }) => state === "waiting");
      if (!item) break;
      try {
        item.ready ??= (await prepare(item.file, service.limits.fileBytes)).file;
      } catch ({ code }) {
        this.#end(item, { success: false, error: code, message: textsFor(code).text });
        continue;
      }
      if (!item.picture.childElementCount) {
        const small = await thumbnail(item.ready, THUMB_SIDE);
        if (small) item.picture.append(small);
      }
      if (!device.on && item.ready.size > service.limits.fileBytes) {
        this.#end(item, { success: false, error: "file_too_large", message: textsFor("file_too_large").text });
        continue;
      }
      bytes += item.ready.size;
      if (batch.length && bytes > service.limits.batchBytes) break;
      if (signal.aborted) break;
      item.state = "sending";
      batch.push(item);
    }
    return batch;
  }

  async #send(batch, signal) {
    let results;
    try {
      results = device.on ? await readHere(batch, signal) : (await api.predictBatch(batch.map((item) => item.ready), { faces: "largest" }, signal)).results;
    } catch (error) {
      if (batch.length > 1 || TEMPORARY.has(error.code) || signal.aborted) throw error;
      results = [{ success: false, error: error.code, message: error.message }];
    }
    batch.forEach((item, index) => this.#end(item, results[index]));
  }

  #end(item, result) {
    item.result = result;
    item.state = result.success ? "done" : "failed";
    item.ready = null;
    this.#showState(item);
  }

  async #useService() {
    await device.turn(false);
    this.#resume();
  }

  /** Shows a temporary error, and goes on by itself where it can. */
  #pause(error) {
    const actions = { again: () => this.#resume(), service: () => this.#useService() };
    this.#hideError = showError($("many-error"), error, actions, { small: true });
  }

  #resume() {
    this.#hideError();
    focusIfLost($("many-cancel"));
    if (this.#run) this.#work(this.#run.signal);
  }

  #cancel() {
    this.#run?.abort();
    for (const item of this.#items) {
      if (item.state === "waiting" || item.state === "sending") {
        item.state = "stopped";
        this.#showState(item);
      }
    }
    this.#finish();
  }

  #retry() {
    for (const item of this.#items) {
      if (item.state === "failed" || item.state === "stopped") {
        item.state = "waiting";
        this.#showState(item);
      }
    }
    this.#start();
    $("many-cancel").focus();
  }

  #clear() {
    this.#items = [];
    this.#choose("all");
    $("many-tiles").replaceChildren();
    $("many-overview").hidden = true;
    $("view-many").dataset.state = "empty";
    $("many-folder").focus();
  }

  #finish() {
    this.#hideError();
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
    announce($("many-count").textContent);
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
    if (quarter !== this.#announcedQuarter && this.#run) announce($("many-count").textContent);
    this.#announcedQuarter = quarter;
  }

  #buildFilters() {
    const names = ["all", ...service.labels, "uncertain", "failed"];
    if ($("many-filters").childElementCount === names.length) return;
    $("many-filters").replaceChildren(
      ...names.map((name) => {
        const text = service.labels.includes(name) ? capital(adjective(name)) : { all: "All", uncertain: "Uncertain", failed: "Not read" }[name];
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
    if (name === "uncertain") return shownLevel(item.result) === "uncertain";
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
    announce(`${plural(this.#items.filter((item) => this.#matches(item, name)).length, "photo")} shown`);
  }

  #applyFilter(item) {
    item.tile.hidden = !this.#matches(item, this.#filter);
  }
}

/** The results of photos that are read on this device, as `POST /predict/batch` gives them. */
async function readHere(batch, signal) {
  const results = [];
  for (const { ready } of batch) {
    try {
      results.push(await device.predict(ready, { faces: "largest" }, signal));
    } catch (error) {
      if (TEMPORARY.has(error.code) || signal.aborted) throw error;
      results.push({ success: false, error: error.code, message: error.message });
    }
  }
  return results;
}

export const many = new Many();
