/** The state of the service (starting, ready, busy, offline), its models and its limits. */

import { health, info, models } from "./api.js";
import { $ } from "./dom.js";

const TEXT = {
  checking: "Checking",
  ready: "Ready",
  cold: "Ready, just started",
  starting: "Waking up",
  busy: "Busy",
  offline: "Offline",
};

const POLL_MS = 1000;

class Service extends EventTarget {
  state = "checking";
  limits = { fileBytes: 5 * 1024 * 1024, batchFiles: 32, batchBytes: 64 * 1024 * 1024, perMinute: 600 };
  models = [];
  defaultModel = "";
  labels = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"];
  #timer = 0;
  #since = 0;

  start() {
    window.addEventListener("offline", () => this.#setState("offline"));
    window.addEventListener("online", () => this.check());
    return this.check();
  }

  /** Checks the health of the service, again and again until it is ready. */
  async check() {
    clearTimeout(this.#timer);
    try {
      this.noteHealth(await health());
    } catch {
      this.#setState(navigator.onLine === false ? "offline" : "starting");
    }
    if ((this.state === "starting" || this.state === "busy") && !document.hidden) this.#timer = setTimeout(() => this.check(), POLL_MS);
  }

  /** Updates the state from a response of `/health`. */
  noteHealth(response) {
    if (response.status === "ok") this.#setState(response.is_cold_start ? "cold" : "ready");
    else this.#setState(response.model_loaded && response.status !== "starting" ? "busy" : "starting");
  }

  #setState(state) {
    const before = this.state;
    this.state = state;
    if (state === "starting" && before !== "starting") this.#since = performance.now();
    const waited = state === "starting" ? Math.floor((performance.now() - this.#since) / 1000) : 0;
    $("status").dataset.state = state;
    const text = waited > 1 ? `${TEXT[state]}, ${waited} s` : TEXT[state];
    if ($("status-text").textContent !== text) $("status-text").textContent = text;
    const up = state === "ready" || state === "cold";
    if (up && before !== "ready" && before !== "cold") this.loadInfo();
  }

  /** Loads the models and the limits. Without them the page keeps its defaults, which are those of the service. */
  async loadInfo() {
    const [about, loaded] = await Promise.allSettled([info(), models()]);
    if (about.status === "fulfilled") this.#useInfo(about.value);
    if (loaded.status === "fulfilled") this.#useModels(loaded.value);
    $("status").dataset.info = "loaded";
    this.dispatchEvent(new Event("loaded"));
  }

  #useInfo(about) {
    const limits = about.limits ?? {};
    if (limits.max_file_size_mb) this.limits.fileBytes = limits.max_file_size_mb * 1024 * 1024;
    if (limits.max_batch_size_mb) this.limits.batchBytes = limits.max_batch_size_mb * 1024 * 1024;
    if (limits.max_batch_files) this.limits.batchFiles = limits.max_batch_files;
    this.limits.perMinute = perMinute(limits.rate_limit) ?? this.limits.perMinute;
  }

  #useModels(loaded) {
    this.models = loaded.models ?? [];
    this.defaultModel = loaded.default ?? this.models[0]?.name ?? "";
    const labels = this.model(this.defaultModel)?.labels;
    if (labels?.length) this.labels = labels;
  }

  model(name) {
    return this.models.find((model) => model.name === name);
  }
}

const MINUTES = { second: 1 / 60, minute: 1, hour: 60, day: 1440 };

/** Requests per minute of a rate such as `600/minute`, or null if there is none. */
function perMinute(rate) {
  const match = /^(\d+)\s*(?:\/|per)\s*(\d*)\s*(second|minute|hour|day)/i.exec(rate ?? "");
  if (!match) return rate === "off" ? Infinity : null;
  return Number(match[1]) / (Number(match[2] || 1) * MINUTES[match[3].toLowerCase()]);
}

export const service = new Service();
