/** The Live view: a camera or a video, read over a stream, with a report at the end. No frame is kept. */

import * as api from "./api.js";
import { cameras, closeCamera, openCamera, snapshot } from "./camera.js";
import { UnitsChart } from "./details.js";
import { DeviceStream } from "./device-stream.js";
import { $, announce, glyph, h, listen } from "./dom.js";
import { showError } from "./error-panel.js";
import { FaceMarks } from "./faces-over-video.js";
import { capital, percent } from "./format.js";
import { emoji, shownLevel } from "./levels.js";
import { device } from "./on-device.js";
import { service } from "./service.js";
import { SessionLog } from "./session-log.js";
import { showReport } from "./session-report.js";
import { Stream } from "./stream.js";
import { adjective, LEVELS, textsFor, WARNINGS } from "./texts.js";
import { Timeline } from "./timeline.js";

const CAMERA_SIDE = 640;
const FRAME_SIDE = 640;
const FRAME_QUALITY = 0.8;
const RATE_WINDOW_MS = 3000;
const SPEAK_EVERY_MS = 5000;
const PROFILE = "interview_practice";
const NOTHING = "–";
const connected = () => (device.on ? "Read on this device. Nothing leaves it." : "Connected");
const [NARROWEST, WIDEST] = [0.75, 16 / 9];

/** A camera as a source of frames. Its time is that since the start. */
class CameraSource {
  #began = performance.now();
  #canvas = document.createElement("canvas");

  constructor(video) {
    this.video = video;
  }

  ready() {
    return this.video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && !this.video.paused;
  }

  time() {
    return (performance.now() - this.#began) / 1000;
  }

  frame() {
    return snapshot(this.video, FRAME_SIDE, FRAME_QUALITY, this.#canvas);
  }
}

/** A video file as a source of frames. Its time is that of the video, and goes on where the video is wound back. */
class FileSource extends CameraSource {
  #time = 0;
  #at = 0;

  ready() {
    return super.ready() && !this.video.ended && !this.video.seeking;
  }

  time() {
    const at = this.video.currentTime;
    this.#time += Math.max(0, at - this.#at);
    this.#at = at;
    return this.#time;
  }
}

class Live {
  #session = null;
  #timeline = null;
  #marks = null;
  #units = new UnitsChart($("live-units"), { steady: true });
  #selected = null;
  #arrivals = [];
  #announced = { label: "", at: 0 };
  #drops = 0;
  #said = "";
  #opening = 0;
  #hideError = () => {};

  enter() {
    this.#timeline ??= new Timeline($("live-timeline"), service.labels);
    const offer = () => ($("live-practice-choice").hidden = !service.profiles.includes(PROFILE));
    offer();
    if (this.#marks) return;
    this.#marks = new FaceMarks($("live-boxes"));
    service.addEventListener("loaded", offer);
    listen("live-on", "click", () => this.#startCamera());
    listen("live-open", "click", () => $("live-file").click());
    listen("live-file", "change", () => this.take([...$("live-file").files]));
    listen("live-camera", "change", () => this.#session && $("live-play").hidden && this.#startCamera());
    listen("live-off", "click", () => this.#finish("Stopped"));
    listen("live-play", "click", () => ($("live-video").paused ? $("live-video").play() : $("live-video").pause()));
    for (const name of ["play", "pause"]) $("live-video").addEventListener(name, () => ($("live-play").textContent = $("live-video").paused ? "Play" : "Pause"));
    listen("live-video", "ended", () => this.#finish("The video is over"));
    device.addEventListener("change", () => this.#finish("Stopped"));
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.#finish("Stopped while you were away");
    });
  }

  leave() {
    this.#finish("Nothing to read yet");
    this.#hideError();
  }

  /** A video file that was chosen or dropped. */
  async take(files) {
    const file = files.find(({ type }) => type.startsWith("video/"));
    $("live-file").value = "";
    if (!file) return this.#fail(new api.CallError("no_video"), () => $("live-file").click());
    await this.#finish("Opening the video");
    this.#hideError();
    const [video, turn] = [$("live-video"), (this.#opening += 1)];
    this.#show("opening", "Opening the video");
    video.src = URL.createObjectURL(file);
    try {
      await video.play();
    } catch {
      if (turn === this.#opening) this.#fail(new api.CallError("video_unreadable"), () => $("live-file").click());
      return;
    }
    if (turn === this.#opening) this.#begin(new FileSource(video), () => this.take(files));
  }

  /** Opens the chosen camera: for a new session, or in place of the one that is open. */
  async #startCamera() {
    const [video, turn, session] = [$("live-video"), (this.#opening += 1), this.#session];
    const wanted = () => turn === this.#opening;
    this.#hideError();
    if (!session) this.#show("opening", "Opening the camera");
    closeCamera(video);
    try {
      await openCamera(video, CAMERA_SIDE, wanted, chosenCamera());
    } catch (error) {
      if (!wanted()) return;
      await this.#finish("Nothing to read yet");
      return this.#fail(error, () => this.#startCamera());
    }
    if (!wanted()) return;
    const [track] = video.srcObject.getVideoTracks();
    track.addEventListener("ended", () => this.#session && this.#finish("The camera was taken away"));
    $("live-mirror").toggleAttribute("data-mirrored", track.getSettings().facingMode !== "environment");
    await listCameras(track);
    if (!session && wanted()) this.#begin(new CameraSource(video), () => this.#startCamera());
  }

  #begin(source, again) {
    const isFile = source instanceof FileSource;
    const profile = !device.on && !$("live-practice-choice").hidden && $("live-practise").checked ? PROFILE : null;
    const measures = service.hasDetails && $("live-measure").checked;
    const query = { faces: "all", ...(measures ? { details: "action_units" } : {}), ...(profile ? { profile, purpose: "own_practice" } : {}) };
    const stream = device.on ? new DeviceStream(source, query) : new Stream(source, query);
    const session = (this.#session = { stream, log: new SessionLog(), profile });
    const { videoWidth, videoHeight } = source.video;
    if (isFile) $("live-mirror").removeAttribute("data-mirrored");
    $("live-frame").style.aspectRatio = Math.min(Math.max(videoWidth / videoHeight, NARROWEST), WIDEST);
    this.#reset();
    $("live-report").hidden = true;
    $("live-play").hidden = !isFile;
    $("live-practice").hidden = !profile;
    $("live-units").hidden = !measures;
    this.#show("on", "Looking for a face");
    $("live-off").focus({ preventScroll: true });
    this.#connection(device.on ? "Loading the engine" : "Connecting");
    this.#listen(session, again);
    session.stream.run();
  }

  #listen(session, again) {
    const { stream, log } = session;
    const on = (name, act) => stream.addEventListener(name, ({ detail }) => this.#session === session && act(detail));
    on("started", ({ labels }) => {
      log.begin(labels);
      if (labels.join() !== this.#timeline.labels.join()) this.#timeline = new Timeline($("live-timeline"), labels);
      this.#connection(connected());
    });
    // Also those that arrive while the session ends.
    stream.addEventListener("prediction", ({ detail: message }) => {
      const faces = log.add(message);
      if (this.#session === session) this.#read(message, faces);
    });
    on("event", (event) => this.#event(event));
    on("waiting", ({ error, seconds }) => this.#connection(reason(error), ` Trying again in ${seconds} s.`));
    on("fatal", async (error) => {
      await this.#finish("Nothing to read yet");
      // What was read has its report.
      if ($("view-live").dataset.state === "idle" && $("live-error").hidden) this.#fail(error, again);
    });
  }

  /** Ends the session, with its report if anything was read. */
  async #finish(lead) {
    const session = this.#session;
    if (!session && $("view-live").dataset.state !== "opening") return;
    const turn = (this.#opening += 1);
    this.#session = null;
    this.#close();
    if (!session) return this.#show("idle", lead);
    this.#show("ending", "Adding up");
    const summary = await session.stream.finish(session.log);
    if (turn !== this.#opening) return;
    if (!session.log.frames.length) {
      this.#show("idle", lead);
      $("live-on").focus({ preventScroll: true });
    } else await this.#report(session, summary);
  }

  async #report({ stream, log, profile }, summary) {
    let note = "";
    const turn = this.#opening;
    if (!summary) {
      note = "The connection was lost on the way. This report follows the largest face of each frame that was read.";
      try {
        summary = await api.analyzeSession(log.asSeries(profile));
      } catch (error) {
        if (turn !== this.#opening) return;
        this.#show("idle", "Nothing to read yet");
        return this.#fail(error, () => this.#report({ stream, log, profile }, null));
      }
      summary.frames.failed = stream.figures.failed;
    }
    if (turn !== this.#opening) return;
    this.#hideError();
    this.#show("report", "Nothing to read yet");
    showReport($("live-report"), summary, { log, note, again: () => this.#again() });
  }

  #again() {
    $("live-report").hidden = true;
    this.#show("idle", "Nothing to read yet");
    $("live-on").focus();
  }

  #close() {
    const video = $("live-video");
    closeCamera(video);
    if (video.src) {
      URL.revokeObjectURL(video.src);
      video.removeAttribute("src");
      video.load();
    }
  }

  #show(state, lead) {
    $("view-live").dataset.state = state;
    $("live-off").disabled = state !== "on";
    if (state !== "on") {
      this.#reset();
      $("live-play").hidden = true;
    }
    $("live-lead").textContent = lead;
  }

  #reset() {
    this.#selected = null;
    this.#arrivals = [];
    this.#drops = 0;
    this.#marks.clear();
    this.#timeline.clear();
    $("live-faces").replaceChildren();
    $("live-faces").dataset.tracks = "";
    $("live-units").replaceChildren();
    $("live-now").dataset.level = $("live-timeline").dataset.level = "none";
    $("live-label").textContent = NOTHING;
    for (const name of ["fps", "latency", "frames", "skipped"]) $(`live-${name}`).textContent = NOTHING;
    for (const name of ["live-warnings", "live-connection", "practice-value", "practice-advice", "practice-drops"]) $(name).textContent = "";
    $("practice-level").textContent = NOTHING;
  }

  #read(message, numbered) {
    this.#measure();
    this.#connection(connected());
    const faces = numbered.map((face) => ({ ...face, level: shownLevel(face) }));
    if (!faces.some(({ track }) => track === this.#selected)) {
      this.#selected = faces[0]?.track ?? null;
      this.#timeline.gap();
    }
    this.#marks.show(faces, message.image, this.#selected);
    this.#choices(faces);
    const face = faces.find(({ track }) => track === this.#selected);
    if (face) this.#showFace(face);
    else this.#showNobody();
  }

  /** Says how the connection is. Only a change is announced, not each second of a wait. */
  #connection(said, wait = "") {
    if (said !== this.#said) announce((this.#said = said));
    if ($("live-connection").textContent !== said + wait) $("live-connection").textContent = said + wait;
  }

  #measure() {
    const at = performance.now();
    this.#arrivals.push(at);
    while (at - this.#arrivals[0] > RATE_WINDOW_MS) this.#arrivals.shift();
    const span = (at - this.#arrivals[0]) / 1000;
    const { latency, read, skipped } = this.#session.stream.figures;
    $("live-fps").textContent = span > 0.5 ? ((this.#arrivals.length - 1) / span).toFixed(1) : NOTHING;
    $("live-latency").textContent = `${Math.round(latency)} ms`;
    $("live-frames").textContent = read.toLocaleString("en");
    $("live-skipped").textContent = skipped.toLocaleString("en");
  }

  /** One button for each face. They are made anew only when other faces are there. */
  #choices(faces) {
    const place = $("live-faces");
    const tracks = faces.map(({ track }) => track).sort((a, b) => a - b);
    if (place.dataset.tracks !== tracks.join()) {
      const focused = place.contains(document.activeElement) ? document.activeElement.dataset.track : null;
      place.dataset.tracks = tracks.join();
      place.replaceChildren(
        ...tracks.map((track) =>
          h("button", { type: "button", data: { track }, onclick: () => this.#select(track) }, h("b", {}, track), h("span", { class: "live-faces__label" })),
        ),
      );
      place.querySelector(`[data-track="${focused}"]`)?.focus();
    }
    for (const face of faces) {
      const button = place.querySelector(`[data-track="${face.track}"]`);
      button.dataset.level = face.level;
      button.setAttribute("aria-pressed", face.track === this.#selected);
      button.lastChild.textContent = capital(adjective(likeliest(face)[0]));
    }
  }

  #select(track) {
    this.#selected = track;
    this.#timeline.clear();
  }

  #showFace(face) {
    const [label, share] = likeliest(face);
    $("live-now").dataset.level = $("live-timeline").dataset.level = face.level;
    $("live-lead").textContent = LEVELS[face.level].lead;
    $("live-label").replaceChildren(`${capital(adjective(label))} `, glyph(emoji(label)));
    const warnings = face.warnings.filter(({ code }) => code !== "multiple_faces").map(({ code, message }) => WARNINGS[code]?.[0] ?? message);
    $("live-warnings").textContent = warnings.join(" · ");
    this.#timeline.add(face.smoothed ?? face.probabilities, label);
    if (face.action_units !== undefined) this.#units.show(face.action_units);
    this.#announce(label, share);
  }

  #showNobody() {
    $("live-now").dataset.level = $("live-timeline").dataset.level = "none";
    $("live-lead").textContent = "No face in view";
    $("live-label").textContent = NOTHING;
    $("live-warnings").textContent = "";
    this.#timeline.add(null, "");
  }

  #event(event) {
    if (event.event === "spike") {
      this.#drops += 1;
      $("practice-drops").textContent = `${event.message} Sudden drops so far: ${this.#drops}.`;
      return;
    }
    $("practice-level").textContent = capital(event.to);
    $("practice-value").textContent = `${Math.round(event.smoothed_confidence * 100)} of 100`;
    $("practice-advice").textContent = event.message;
  }

  #announce(label, share) {
    const at = performance.now();
    if (label === this.#announced.label || at - this.#announced.at < SPEAK_EVERY_MS) return;
    this.#announced = { label, at };
    $("live-announcements").textContent = `Looks ${adjective(label)}, ${percent(share)}`;
  }

  #fail(error, again) {
    this.#close();
    this.#show("idle", "Nothing to read yet");
    this.#hideError();
    this.#hideError = showError($("live-error"), error, { again }, { small: true });
  }
}

/** The label that is shown for a face: the likeliest of its smoothed probabilities. */
const likeliest = (face) => Object.entries(face.smoothed ?? face.probabilities).reduce((best, entry) => (entry[1] > best[1] ? entry : best));

/** Why there is no connection, in the service's words where it has said any. */
function reason(error) {
  if (error?.code === "not_ready") return "The service is restarting.";
  if (error?.message && error.message !== error.code) return error.message;
  return error ? `${textsFor(error.code).title}.` : "The connection was lost.";
}

function chosenCamera() {
  const { value } = $("live-camera");
  return ["user", "environment"].includes(value) ? { facingMode: value } : { deviceId: { exact: value } };
}

/** Lists the cameras by their names, once the browser says them. */
async function listCameras(track) {
  const found = await cameras();
  if (found.length < 2) return;
  const { deviceId } = track.getSettings();
  $("live-camera").replaceChildren(...found.map((camera) => h("option", { value: camera.deviceId, selected: camera.deviceId === deviceId }, camera.label)));
}

export const live = new Live();
