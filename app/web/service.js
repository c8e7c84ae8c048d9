/** How the service is: waking, ready, busy or out of reach; and what it offers. */

import { health, info, models } from "./api.js";
import { $ } from "./dom.js";

const TEXT = {
  checking: "Checking",
  ready: "Ready",
  cold: "Ready, just started",
  waking: "Waking up",
  busy: "Busy",
  offline: "Offline",
};

const POLL_MS = 1000;

class Service extends EventTarget {
  state = "checking";
  limits = { fileBytes: 5 * 1024 * 1024, batchFiles: 32, batchBytes: 20 * 1024 * 1024, perMinute: 600 };
  models = [];
  defaultModel = "";
  labels = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"];
  version = "";
  #timer = 0;
  #since = 0;

  start() {
    window.addEventListener("offline", () => this.#become("offline"));
    window.addEventListener("online", () => this.check());
    return this.check();
  }

  /** Asks the service how it is, and goes on asking until it is well. */
  async check() {
    clearTimeout(this.#timer);
    try {
      this.saw(await health());
    } catch {
      this.#become(navigator.onLine === false ? "offline" : "waking");
    }
    if ((this.state === "waking" || this.state === "busy") && !document.hidden) this.#timer = setTimeout(() => this.check(), POLL_MS);
  }

  /** Takes note of an answer of `/health` that somebody else got. */
  saw(answer) {
    if (answer.status === "ok") this.#become(answer.is_cold_start ? "cold" : "ready");
    else this.#become(answer.model_loaded && answer.status !== "starting" ? "busy" : "waking");
  }

  #become(state) {
    const before = this.state;
    this.state = state;
    if (state === "waking" && before !== "waking") this.#since = performance.now();
    const waited = state === "waking" ? Math.floor((performance.now() - this.#since) / 1000) : 0;
    $("status").dataset.state = state;
    const text = waited > 1 ? `${TEXT[state]}, ${waited} s` : TEXT[state];
    if ($("status-text").textContent !== text) $("status-text").textContent = text;
    const up = state === "ready" || state === "cold";
    if (up && before !== "ready" && before !== "cold") this.learn();
  }

  /** What is loaded and what is allowed. The page works with its own defaults where the service will not say. */
  async learn() {
    const [about, loaded] = await Promise.allSettled([info(), models()]);
    if (about.status === "fulfilled") this.#readInfo(about.value);
    if (loaded.status === "fulfilled") this.#readModels(loaded.value);
    $("status").dataset.learned = "yes";
    this.dispatchEvent(new Event("learned"));
  }

  #readInfo(about) {
    const limits = about.limits ?? {};
    if (limits.max_file_size_mb) this.limits.fileBytes = limits.max_file_size_mb * 1024 * 1024;
    if (limits.max_batch_size_mb) this.limits.batchBytes = limits.max_batch_size_mb * 1024 * 1024;
    if (limits.max_batch_files) this.limits.batchFiles = limits.max_batch_files;
    this.limits.perMinute = perMinute(limits.rate_limit) ?? this.limits.perMinute;
    this.version = about.version ?? "";
  }

  #readModels(loaded) {
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

/** Requests a minute of a rate such as `600/minute`, or null where none is given. */
function perMinute(rate) {
  const match = /^(\d+)\s*(?:\/|per)\s*(\d*)\s*(second|minute|hour|day)/i.exec(rate ?? "");
  if (!match) return rate === "off" ? Infinity : null;
  return Number(match[1]) / (Number(match[2] || 1) * MINUTES[match[3].toLowerCase()]);
}

export const service = new Service();
