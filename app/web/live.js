/** The camera, frame by frame: one frame on its way at a time, none of them kept. */

import * as api from "./api.js";
import { closeCamera, openCamera, snapshot } from "./camera.js";
import { $, capital, h, percent, say } from "./dom.js";
import { service } from "./service.js";
import { Strip } from "./strip.js";
import { showTrouble } from "./trouble.js";
import { emoji, level, LEVELS, seen } from "./words.js";

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
  #strip = null;
  #smooth = null;
  #at = 0;
  #answers = [];
  #latency = 0;
  #frames = 0;
  #spoken = { label: "", at: 0 };
  #endTrouble = () => {};
  #canvas = document.createElement("canvas");
  #wired = false;

  enter() {
    this.#strip ??= new Strip($("live-strip"), service.labels);
    if (this.#wired) return;
    this.#wired = true;
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
    this.#endTrouble();
  }

  async #start() {
    this.#endTrouble();
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
    if (service.labels.join() !== this.#strip.labels.join()) this.#strip = new Strip($("live-strip"), service.labels);
    this.#smooth = null;
    this.#answers = [];
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
    this.#strip.clear();
    this.#canvas.width = this.#canvas.height = 0;
  }

  async #loop(signal) {
    while (!signal.aborted) {
      const started = performance.now();
      try {
        await this.#frame(signal);
      } catch (error) {
        if (signal.aborted) return;
        const goesBy = ["rate_limited", "overloaded", "timeout", "not_ready", "offline"].includes(error.code);
        if (!goesBy) return this.#fail(error);
        await this.#wait(error, signal);
      }
      // A little slower than the limit allows, so that a live picture never runs into it.
      const between = 63_000 / service.limits.perMinute;
      await pause(Math.max(0, between - (performance.now() - started)));
    }
  }

  async #frame(signal) {
    const video = $("live-video");
    const file = await snapshot(video, FRAME_SIDE, FRAME_QUALITY, this.#canvas);
    const sent = performance.now();
    let answer = null;
    try {
      answer = await api.predict(file, { faces: "largest" }, signal);
    } catch (error) {
      if (error.code !== "no_face_detected") throw error;
    }
    if (signal.aborted) return;
    this.#measure(performance.now() - sent);
    if (answer) this.#show(answer);
    else this.#showNobody();
  }

  #measure(took) {
    const at = performance.now();
    this.#frames += 1;
    this.#answers.push(at);
    while (at - this.#answers[0] > RATE_WINDOW_MS) this.#answers.shift();
    this.#latency = this.#latency ? this.#latency + (took - this.#latency) * 0.15 : took;
    const span = (at - this.#answers[0]) / 1000;
    $("live-fps").textContent = span > 0.5 ? ((this.#answers.length - 1) / span).toFixed(1) : NOTHING;
    $("live-latency").textContent = `${Math.round(this.#latency)} ms`;
    $("live-frames").textContent = this.#frames.toLocaleString("en");
  }

  #show(answer) {
    const at = performance.now();
    const keep = this.#smooth ? Math.exp(-(at - this.#at) / SMOOTHING_MS) : 0;
    this.#at = at;
    this.#smooth = Object.fromEntries(
      Object.entries(answer.probabilities).map(([label, share]) => [label, keep * (this.#smooth?.[label] ?? 0) + (1 - keep) * share]),
    );
    const [label, share] = Object.entries(this.#smooth).reduce((best, entry) => (entry[1] > best[1] ? entry : best));
    const grade = level(share, false);
    $("live-lead").textContent = LEVELS[grade].lead;
    $("live-label").replaceChildren(`${capital(seen(label))} `, h("span", { class: "emoji", "aria-hidden": "true" }, emoji(label)));
    this.#strip.add(this.#smooth, label);
    this.#place(answer.face.box, answer.image);
    this.#speak(label, share);
  }

  #showNobody() {
    this.#smooth = null;
    $("live-box").hidden = true;
    $("live-lead").textContent = "No face in view";
    $("live-label").textContent = NOTHING;
    this.#strip.add(null, "");
  }

  /** The picture fills its plate and is cut at the sides; the box goes where the face then is. */
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

  #speak(label, share) {
    const at = performance.now();
    if (label === this.#spoken.label || at - this.#spoken.at < SPEAK_EVERY_MS) return;
    this.#spoken = { label, at };
    $("live-said").textContent = `Looks ${seen(label)}, ${percent(share)}`;
  }

  #fail(error) {
    this.#stop("Nothing to read yet");
    this.#endTrouble = showTrouble($("live-trouble"), error, { again: () => this.#start() }, { slim: true });
  }

  /** The camera stays on; the frames stop until what stands in the way has gone by. */
  async #wait(error, signal) {
    if (error.code === "not_ready") service.check();
    await new Promise((done) => {
      signal.addEventListener("abort", done, { once: true });
      this.#endTrouble = showTrouble($("live-trouble"), error, { again: done }, { slim: true });
    });
    this.#endTrouble();
    if (!signal.aborted) say("Reading again");
  }
}

export const live = new Live();
