/** The state of the service (starting, ready, busy, gone), its models and its limits. */

import { calls, health, info } from "./api.js";
import { $ } from "./dom.js";
import { plural } from "./format.js";
import { useAppearance } from "./levels.js";

const TEXT = {
  checking: "Checking",
  ready: "Ready",
  cold: "Ready, just started",
  starting: "Waking up",
  busy: "Busy",
  offline: "You are offline",
  unreachable: "Not reachable",
  device: "On this device",
};

/** How long after one check of the health the next one follows, while the page is visible. */
const POLL_MS = { checking: 1000, ready: 10_000, cold: 5000, starting: 1000, busy: 2000, offline: 5000, unreachable: 3000 };

const UP = new Set(["ready", "cold", "busy"]);

class Service extends EventTarget {
  state = "checking";
  limits = { fileSize: "5 MB", fileBytes: 5 * 1024 * 1024, batchFiles: 32, batchBytes: 64 * 1024 * 1024, perMinute: 600, formats: [] };
  models = [];
  defaultModel = "";
  labels = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"];
  /** The action units of the service by their codes. */
  units = {};
  /** Whether the service computes details. */
  hasDetails = true;
  /** What people have to know about the service, as in `/info`. */
  notice = null;
  /** The profiles that sessions may ask for. */
  profiles = [];
  /** What is left of the client's rate: `{ limit, remaining, at }`, or null where there is none. */
  allowance = null;
  #timer = 0;
  #since = 0;
  #knows = false;
  #paused = false;

  start() {
    window.addEventListener("offline", () => this.#paused || this.#setState("offline"));
    window.addEventListener("online", () => this.check());
    document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(this.#timer) : this.check()));
    calls.addEventListener("failed", ({ detail }) => detail === "unreachable" && UP.has(this.state) && this.check());
    calls.addEventListener("allowance", ({ detail }) => {
      this.allowance = { ...detail, at: performance.now() };
      this.#showAllowance();
    });
    return this.check();
  }

  /** Checks the health of the service, now and from then on for as long as the page is visible. */
  async check() {
    clearTimeout(this.#timer);
    if (this.#paused) return;
    try {
      this.noteHealth(await health());
    } catch (error) {
      // What a proxy says while it cannot reach the service is taken for a start.
      this.#setState(navigator.onLine === false ? "offline" : error.code === "not_ready" ? "starting" : "unreachable");
    }
    this.#showAllowance();
    clearTimeout(this.#timer);
    if (this.#paused) return this.#setState("device");
    if (!document.hidden) this.#timer = setTimeout(() => this.check(), POLL_MS[this.state]);
  }

  /** Checks nothing while pictures are read on the device. */
  pause(paused) {
    this.#paused = paused;
    if (paused) {
      this.#setState("device");
      // The looks of labels and levels are the service's: without a network, those of the last visit.
      if (!this.notice) this.loadInfo();
    } else this.check();
  }

  /** Updates the state from a response of `/health`. */
  noteHealth(response) {
    if (response.status === "ok") this.#setState(response.is_cold_start ? "cold" : "ready");
    else this.#setState(response.model_loaded && response.status !== "starting" ? "busy" : "starting");
  }

  #setState(state) {
    if (state !== this.state) this.#since = performance.now();
    this.state = $("status").dataset.state = state;
    const waited = Math.floor((performance.now() - this.#since) / 1000);
    // Screen readers are not told of each second.
    $("status-waited").textContent = state === "starting" && waited > 1 ? `, ${waited} s` : "";
    if ($("status-text").textContent !== TEXT[state]) $("status-text").textContent = TEXT[state];
    // A service that was away may be another one when it is back.
    if (state === "device") return;
    if (!UP.has(state)) this.#knows = false;
    else if (!this.#knows && state !== "busy") this.loadInfo();
  }

  /** Loads the models and the limits. Without them the page keeps its defaults, which are those of the service. */
  async loadInfo() {
    this.#knows = true;
    try {
      this.#useInfo(await info());
    } catch (error) {
      this.#knows = error.code === "unauthorized";
    }
    $("status").dataset.info = "loaded";
    this.#showAllowance();
    this.dispatchEvent(new Event("loaded"));
  }

  #useInfo(about) {
    const limits = about.limits ?? {};
    if (limits.max_file_size_mb) {
      this.limits.fileBytes = limits.max_file_size_mb * 1024 * 1024;
      this.limits.fileSize = `${limits.max_file_size_mb} MB`;
    }
    if (limits.max_batch_size_mb) this.limits.batchBytes = limits.max_batch_size_mb * 1024 * 1024;
    if (limits.max_batch_files) this.limits.batchFiles = limits.max_batch_files;
    this.limits.formats = limits.formats ?? [];
    this.limits.perMinute = perMinute(limits.rate_limit) ?? this.limits.perMinute;
    this.models = about.models ?? [];
    this.defaultModel = about.default_model ?? this.models[0]?.name ?? "";
    this.notice = about.notice ?? null;
    this.profiles = about.session_profiles ?? [];
    this.units = about.details?.action_units ?? {};
    this.hasDetails = !["off", "unavailable"].includes(about.details?.state);
    const labels = this.model(this.defaultModel)?.labels;
    if (labels?.length) this.labels = labels;
    useAppearance(about);
  }

  model(name) {
    return this.models.find((model) => model.name === name);
  }

  /** How many photos are left at this moment: the rate comes back evenly. Infinity where there is no rate. */
  get left() {
    if (!this.allowance) return Infinity;
    const { limit, remaining, at } = this.allowance;
    return Math.min(limit, remaining + Math.floor(((performance.now() - at) / 60_000) * this.limits.perMinute));
  }

  #showAllowance() {
    const text = this.allowance ? `${this.left.toLocaleString("en")} of ${plural(this.allowance.limit, "photo")} left for now.` : "";
    for (const line of document.querySelectorAll("[data-allowance]")) if (line.textContent !== text) line.textContent = text;
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
