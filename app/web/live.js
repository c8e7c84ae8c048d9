/** The Live view: sends frames of the camera one at a time. No frame is kept. */

import * as api from "./api.js";
import { closeCamera, openCamera, snapshot } from "./camera.js";
import { $, announce, h } from "./dom.js";
import { showError } from "./error-panel.js";
import { capital, percent } from "./format.js";
import { emoji, levelOf } from "./levels.js";
import { service } from "./service.js";
import { adjective, LEVELS } from "./texts.js";
import { Timeline } from "./timeline.js";

const CAMERA_SIDE = 640;
const FRAME_SIDE = 512;
const FRAME_QUALITY = 0.8;
const SMOOTHING_MS = 350;
const RATE_WINDOW_MS = 3000;
const SPEAK_EVERY_MS = 5000;
const NOTHING = "–";

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

class Live {
  #run = null;
  #timeline = null;
  #smooth = null;
  #at = 0;
  #arrivals = [];
  #latency = 0;
  #frames = 0;
  #announced = { label: "", at: 0 };
  #hideError = () => {};
  #canvas = document.createElement("canvas");
  #listening = false;

  enter() {
    this.#timeline ??= new Timeline($("live-timeline"), service.labels);
    if (this.#listening) return;
    this.#listening = true;
    $("live-on").addEventListener("click", () => this.#start());
    $("live-off").addEventListener("click", () => {
      this.#stop("Stopped");
      $("live-on").focus();
    });
    document.addEventListener("visibilitychange", () => {
      if (document.hidden && this.#run) this.#stop("Stopped while you were away");
    });
  }

  leave() {
    if (this.#run) this.#stop("Nothing to read yet");
    this.#hideError();
  }

  async #start() {
    this.#hideError();
    this.#stop("Opening the camera");
    const run = (this.#run = new AbortController());
    try {
      await openCamera($("live-video"), CAMERA_SIDE);
    } catch (error) {
      return this.#fail(error);
    }
    if (run.signal.aborted) return closeCamera($("live-video"));
    for (const track of $("live-video").srcObject.getTracks()) {
      track.addEventListener("ended", () => this.#fail(new api.CallError("camera_missing")));
    }
    if (service.labels.join() !== this.#timeline.labels.join()) this.#timeline = new Timeline($("live-timeline"), service.labels);
    this.#smooth = null;
    this.#arrivals = [];
    this.#latency = this.#frames = 0;
    $("view-live").dataset.state = "on";
    $("live-off").disabled = false;
    $("live-off").focus({ preventScroll: true });
    $("live-lead").textContent = "Looking for a face";
    this.#loop(run.signal);
  }

  #stop(lead) {
    this.#run?.abort();
    this.#run = null;
    closeCamera($("live-video"));
    $("view-live").dataset.state = "idle";
    $("live-off").disabled = true;
    $("live-box").hidden = true;
    $("live-lead").textContent = lead;
    $("live-label").textContent = NOTHING;
    for (const name of ["fps", "latency", "frames"]) $(`live-${name}`).textContent = NOTHING;
    this.#timeline.clear();
    this.#canvas.width = this.#canvas.height = 0;
  }

  async #loop(signal) {
    while (!signal.aborted) {
      const started = performance.now();
      try {
        await this.#frame(signal);
      } catch (error) {
        if (signal.aborted) return;
        const temporary = ["rate_limited", "overloaded", "timeout", "not_ready", "offline"].includes(error.code);
        if (!temporary) return this.#fail(error);
        await this.#wait(error, signal);
      }
      // A little slower than the rate limit, so that it is never reached.
      const between = 63_000 / service.limits.perMinute;
      await pause(Math.max(0, between - (performance.now() - started)));
    }
  }

  async #frame(signal) {
    const video = $("live-video");
    const file = await snapshot(video, FRAME_SIDE, FRAME_QUALITY, this.#canvas);
    const sent = performance.now();
    let result = null;
    try {
      result = await api.predict(file, { faces: "largest" }, signal);
    } catch (error) {
      if (error.code !== "no_face_detected") throw error;
    }
    if (signal.aborted) return;
    this.#measure(performance.now() - sent);
    if (result) this.#show(result);
    else this.#showNobody();
  }

  #measure(took) {
    const at = performance.now();
    this.#frames += 1;
    this.#arrivals.push(at);
    while (at - this.#arrivals[0] > RATE_WINDOW_MS) this.#arrivals.shift();
    this.#latency = this.#latency ? this.#latency + (took - this.#latency) * 0.15 : took;
    const span = (at - this.#arrivals[0]) / 1000;
    $("live-fps").textContent = span > 0.5 ? ((this.#arrivals.length - 1) / span).toFixed(1) : NOTHING;
    $("live-latency").textContent = `${Math.round(this.#latency)} ms`;
    $("live-frames").textContent = this.#frames.toLocaleString("en");
  }

  #show(result) {
    const at = performance.now();
    const keep = this.#smooth ? Math.exp(-(at - this.#at) / SMOOTHING_MS) : 0;
    this.#at = at;
    this.#smooth = Object.fromEntries(
      Object.entries(result.probabilities).map(([label, share]) => [label, keep * (this.#smooth?.[label] ?? 0) + (1 - keep) * share]),
    );
    const [label, share] = Object.entries(this.#smooth).reduce((best, entry) => (entry[1] > best[1] ? entry : best));
    const level = levelOf(share);
    $("live-lead").textContent = LEVELS[level].lead;
    $("live-label").replaceChildren(`${capital(adjective(label))} `, h("span", { class: "emoji", "aria-hidden": "true" }, emoji(label)));
    this.#timeline.add(this.#smooth, label);
    this.#place(result.face.box, result.image);
    this.#announce(label, share);
  }

  #showNobody() {
    this.#smooth = null;
    $("live-box").hidden = true;
    $("live-lead").textContent = "No face in view";
    $("live-label").textContent = NOTHING;
    this.#timeline.add(null, "");
  }

  /** Places the box on the face. The video fills its frame, and what does not fit is cut off. */
  #place(box, image) {
    const { clientWidth, clientHeight } = $("live-mirror");
    const scale = Math.max(clientWidth / image.width, clientHeight / image.height);
    const x = box.x * scale - (image.width * scale - clientWidth) / 2;
    const y = box.y * scale - (image.height * scale - clientHeight) / 2;
    const mark = $("live-box");
    mark.hidden = false;
    mark.style.transform = `translate(${x}px, ${y}px)`;
    mark.style.width = `${box.width * scale}px`;
    mark.style.height = `${box.height * scale}px`;
  }

  #announce(label, share) {
    const at = performance.now();
    if (label === this.#announced.label || at - this.#announced.at < SPEAK_EVERY_MS) return;
    this.#announced = { label, at };
    $("live-announcements").textContent = `Looks ${adjective(label)}, ${percent(share)}`;
  }

  #fail(error) {
    this.#stop("Nothing to read yet");
    this.#hideError = showError($("live-error"), error, { again: () => this.#start() }, { small: true });
  }

  /** Stops sending frames until a temporary error is over. The camera stays on. */
  async #wait(error, signal) {
    if (error.code === "not_ready") service.check();
    await new Promise((done) => {
      signal.addEventListener("abort", done, { once: true });
      this.#hideError = showError($("live-error"), error, { again: done }, { small: true });
    });
    this.#hideError();
    if (!signal.aborted) announce("Reading again");
  }
}

export const live = new Live();
