/** The One photo view: a photo, its result, the explanation, and the request that was sent. */

import * as api from "./api.js";
import { closeCamera, openCamera, snapshot } from "./camera.js";
import { Details } from "./details.js";
import { $, announce, copy, focusIfLost, glyph, h, icon, listen } from "./dom.js";
import { showError } from "./error-panel.js";
import { capital, duration, percent, plural } from "./format.js";
import { drawHeat, MOST_OCCLUDED } from "./heatmap.js";
import { emoji, levelEmoji, shownLevel } from "./levels.js";
import { device } from "./on-device.js";
import { cutFace, prepare } from "./picture-file.js";
import { Bars, seen } from "./probability-bars.js";
import { service } from "./service.js";
import { adjective, LEVELS, WARNINGS } from "./texts.js";

const CAMERA_SIDE = 1280;

/** The methods of explanations. */
const METHODS = { contrast: "comparing the labels", cam: "this label alone", occlusion: "covering parts (slow)" };
/**
 * With more faces than the first, their numbers and boxes are drawn smaller, and the Tab key goes to their list alone. With
 * more than the second, only the number of the chosen face is shown.
 */
const [CROWD, PACKED] = [12, 40];

/** Errors after which the photo is read without details: on the device their networks are loaded when they are wanted. */
const LACKS_DETAILS = new Set(["details_unavailable", "model_file_missing", "model_file_unreachable", "model_file_mismatch"]);

/** Every face of a result, the largest first. */
const facesOf = (result) => (result.faces?.length ? result.faces : [result]);

class Photo {
  #picture = null;
  #result = null;
  #face = 0;
  #model = "";
  #onNoFace = "";
  #wantsExplanation = false;
  #method = "";
  #url = "";
  #bars = new Bars($("bars"));
  #details = new Details($("details"), $("picture-mesh"), () => this.#changeDetails());
  #comparison = null;
  #call = null;
  #hideError = () => {};

  start() {
    listen("photo-choose", "click", () => $("photo-file").click());
    listen("photo-file", "change", (event) => {
      const [file] = event.target.files;
      event.target.value = "";
      if (file) this.take([file]);
    });
    listen("photo-another", "click", () => this.reset());
    listen("photo-camera", "click", () => this.#openPreview());
    listen("preview-close", "click", () => this.reset());
    listen("preview-take", "click", () => this.#takePhoto());
    listen("samples", "click", (event) => {
      const button = event.target.closest("[data-sample]");
      if (!button) return;
      // Its result has the focus.
      button.blur();
      this.#takeSample(button.dataset.sample);
    });
    listen("heatmap-opacity", "input", () => this.#setOpacity());
    listen("heatmap-opacity", "change", () => this.#requestExplanation());
    listen("model", "change", (event) => {
      this.#model = event.target.value;
      if (!service.model(this.#model)?.explain_methods?.includes(this.#method)) this.#method = "";
      this.#predict();
    });
    listen("explain-method", "change", (event) => {
      this.#method = event.target.value;
      this.#wantsExplanation = true;
      this.#predict();
    });
    listen("compare", "toggle", () => this.#offerComparison());
    for (const button of document.querySelectorAll("#request [data-copy]")) {
      button.addEventListener("click", () => copy($(button.dataset.copy).textContent, button));
    }
    for (const image of document.querySelectorAll("#samples img")) {
      const drop = () => {
        image.closest("li")?.remove();
        $("samples-block").hidden = !$("samples").childElementCount;
      };
      if (image.complete && !image.naturalWidth) drop();
      else image.addEventListener("error", drop);
    }
    service.addEventListener("loaded", () => {
      this.#offerModels();
      if (this.#result) this.#offerMethods();
      if (!this.#picture) this.#showLimits();
    });
    device.addEventListener("change", () => this.#picture && $("view-photo").dataset.state !== "camera" && this.take([this.#picture.original]));
    new ResizeObserver(() => this.#fit()).observe($("frame"));
  }

  /** The last result: what was sent, what came back, and the picture's name. Null before the first. */
  get last() {
    return this.#result && { query: this.#query(), name: this.#picture.file.name, result: this.#result };
  }

  leave() {
    if ($("view-photo").dataset.state === "camera") this.reset();
  }

  async take([file]) {
    const run = this.#begin();
    try {
      const picture = await prepare(file, service.limits.fileBytes, device.on ? "read" : "sent");
      if (run.signal.aborted) return;
      this.#picture = { ...picture, original: file };
    } catch (error) {
      if (!run.signal.aborted) this.#showError(error, () => this.take([file]));
      return;
    }
    this.#preview();
    await this.#predict();
  }

  /** Leaves the photo that is there, for the next. Returns what ends the wait for it. */
  #begin() {
    this.#leave();
    this.#onNoFace = this.#method = "";
    this.#wantsExplanation = false;
    this.#setState("busy");
    this.#clearResult();
    window.scrollTo(0, 0);
    return (this.#call = new AbortController());
  }

  reset() {
    this.#leave();
    this.#showLimits();
    this.#setState("empty");
    $("photo-choose").focus({ preventScroll: true });
    announce("Ready for another photo");
  }

  #showLimits() {
    const { formats, fileSize } = service.limits;
    const names = formats.length ? formats.map((name) => (name === "webp" ? "WebP" : name.toUpperCase())) : ["JPEG", "PNG", "WebP", "BMP"];
    $("photo-note").textContent = `${names.slice(0, -1).join(", ")} or ${names.at(-1)}, up to ${fileSize}. Larger ones are made smaller here first.`;
  }

  #leave() {
    this.#stop();
    closeCamera($("preview-video"));
    this.#picture = this.#result = null;
  }

  #stop() {
    this.#call?.abort();
    this.#hideError();
    this.#hideError = () => {};
  }

  #setState(state) {
    $("view-photo").dataset.state = state;
    const has = state === "busy" || state === "done" || state === "error";
    $("frame-drop").hidden = state !== "empty";
    $("intro").hidden = has;
    $("result").hidden = !(state === "busy" || state === "done");
    $("picture").hidden = !has || !this.#picture?.width;
    $("frame-blank").hidden = !has || this.#picture?.width !== 0;
    $("preview").hidden = state !== "camera";
    $("result").setAttribute("aria-busy", state === "busy");
    if (has) focusIfLost($("photo-another"));
    if (state !== "done" && state !== "busy") {
      $("picture-boxes").replaceChildren();
      $("faces").hidden = true;
    }
  }

  #preview() {
    URL.revokeObjectURL(this.#url);
    this.#url = "";
    const { file, width, note } = this.#picture;
    $("photo-note").textContent = note;
    if (!width) return;
    this.#url = URL.createObjectURL(file);
    const image = $("picture-image");
    image.src = this.#url;
    image.alt = `The photo ${file.name}`;
    this.#fit();
  }

  /** Makes the picture as large as its frame allows, in its own proportions. */
  #fit() {
    const { width, height } = this.#picture ?? {};
    if (!width) return;
    const frame = $("frame").getBoundingClientRect();
    const scale = Math.min(frame.width / width, frame.height / height, 4);
    $("picture").style.width = `${width * scale}px`;
    $("picture").style.height = `${height * scale}px`;
  }

  async #takeSample(name) {
    const run = this.#begin();
    try {
      const response = await fetch(api.address(`samples/${name}.jpg`), { signal: run.signal });
      if (!response.ok) throw new api.CallError("not_found");
      await this.take([new File([await response.blob()], `${name}.jpg`, { type: "image/jpeg" })]);
    } catch (error) {
      if (run.signal.aborted) return;
      const code = navigator.onLine === false ? "offline" : "unreachable";
      this.#showError(error instanceof api.CallError ? error : new api.CallError(code), () => this.#takeSample(name));
    }
  }

  #query() {
    const explain = this.#explainsQuickly || (this.#wantsExplanation && this.#few) ? "grid" : "";
    const method = explain && this.#method;
    return { faces: "all", explain, explain_method: method, model: this.#model, on_no_face: this.#onNoFace, details: this.#details.query };
  }

  /** Class-activation maps cost nothing. Occlusion maps take many inferences, so they are requested only when wanted. */
  get #explainsQuickly() {
    return (this.#method || service.model(this.#model || service.defaultModel)?.explains_by) !== "occlusion";
  }

  /** Whether the faces are few enough for occlusion maps. */
  get #few() {
    return !this.#result || facesOf(this.#result).length <= MOST_OCCLUDED;
  }

  #offerMethods() {
    const model = service.model(this.#model || service.defaultModel);
    const methods = (model?.explain_methods ?? []).filter((name) => (!device.on && this.#few) || name !== "occlusion");
    const chosen = this.#method || model?.explains_by;
    $("explain-method-picker").hidden = methods.length < 2;
    $("explain-method").replaceChildren(...methods.map((name) => h("option", { value: name, selected: name === chosen }, METHODS[name] ?? name)));
  }

  /** Whether a result is shown. */
  get #shows() {
    return this.#result && ["busy", "done"].includes($("view-photo").dataset.state);
  }

  #requestExplanation() {
    if (this.#wantsExplanation || this.#explainsQuickly || !this.#shows || !this.#few) return;
    this.#wantsExplanation = true;
    this.#predict();
  }

  /** Asks for the details, or takes them away. */
  #changeDetails() {
    if (!this.#shows) return;
    const face = facesOf(this.#result)[this.#face];
    if (this.#details.query && face.description === undefined) this.#predict();
    else this.#details.show(face, this.#result.image);
  }

  async #predict() {
    this.#stop();
    const run = (this.#call = new AbortController());
    const again = this.#shows;
    this.#setState("busy");
    if (!again) this.#clearResult();
    try {
      const result = await this.#read(this.#picture.file, run.signal);
      if (run.signal.aborted) return;
      this.#show(result);
    } catch (error) {
      if (LACKS_DETAILS.has(error.code)) this.#details.turnOff();
      if (error.code !== "aborted" && !run.signal.aborted) this.#showError(error, () => this.#predict());
    }
  }

  #read(file, signal) {
    if (!device.on) {
      // The page makes what it can open small enough. The rest is refused here, before it is sent.
      if (file.size > service.limits.fileBytes) throw new api.CallError("file_too_large");
      return api.predict(file, this.#query(), signal);
    }
    const { explain, explain_method, details } = this.#query();
    const wanted = Object.entries({ explain, explain_method, details, on_no_face: this.#onNoFace }).filter(([, value]) => value);
    return device.predict(file, { faces: "all", ...Object.fromEntries(wanted) }, signal);
  }

  #showError(error, again) {
    this.#result = null;
    this.#setState("error");
    if (error.code === "not_ready") service.check();
    this.#hideError = showError($("photo-error"), error, {
      file: this.#picture?.file,
      again,
      another: () => this.reset(),
      service: () => device.turn(false),
      center: () => {
        this.#onNoFace = "center";
        this.#predict();
      },
      default: () => {
        this.#model = "";
        $("model").value = service.defaultModel;
        service.loadInfo();
        this.#predict();
      },
    });
  }

  #clearResult() {
    $("prediction").dataset.level = "none";
    $("prediction-lead").textContent = "Reading";
    $("prediction-label").replaceChildren(h("span", { class: "prediction__wait", "aria-hidden": "true" }), h("span", { class: "visually-hidden" }, "The photo is being read"));
    $("prediction-sure").replaceChildren();
    $("result-body").hidden = true;
    $("picture-boxes").replaceChildren();
    $("faces").hidden = true;
    $("heatmap-opacity").value = 0;
    this.#setOpacity();
    this.#details.clear();
    this.#comparison?.clear();
  }

  #show(result) {
    const same = this.#result !== null;
    this.#result = result;
    const faces = facesOf(result);
    // Another model finds the same faces, so the chosen one stays chosen.
    this.#face = same && this.#face < faces.length ? this.#face : 0;
    // A label that one face shows keeps its row for all, so that nothing moves when another face is chosen.
    this.#bars.build(Object.keys(result.probabilities), seen(faces.map(({ probabilities }) => probabilities), same ? this.#bars.shown : []));
    this.#setState("done");
    this.#boxFaces();
    $("prediction-sure").replaceChildren(...faces.map((face) => this.#sureness(face)));
    $("warnings").replaceChildren(...faces.map((face) => this.#advice(face)));
    $("result-body").hidden = false;
    this.#showFace(this.#face);
    this.#showRequest();
    this.#offerModels();
    this.#offerMethods();
    announce(this.#announcement());
  }

  #announcement() {
    const faces = facesOf(this.#result);
    const face = faces[this.#face];
    const which = faces.length > 1 ? `Face ${this.#face + 1} of ${faces.length}. ` : "";
    const level = shownLevel(face);
    const notes = this.#warningsOf(face).map((code) => ` ${WARNINGS[code]?.[1] ?? ""}`);
    return `${which}${LEVELS[level].lead} ${adjective(face.emotion)}, ${percent(face.confidence)}, ${LEVELS[level].sure}.${notes.join("")}`;
  }

  #showFace(index) {
    this.#face = index;
    const face = facesOf(this.#result)[index];
    const level = shownLevel(face);
    $("prediction").dataset.level = level;
    $("prediction-lead").textContent = LEVELS[level].lead;
    $("prediction-label").replaceChildren(
      h("span", { class: "shown" }, capital(adjective(face.emotion))),
      glyph(emoji(face.emotion)),
    );
    for (const stack of [$("prediction-sure"), $("warnings")]) {
      [...stack.children].forEach((each, place) => each.toggleAttribute("data-shown", place === index));
    }
    this.#bars.show(face.probabilities, face.emotion, level);
    this.#showExplanation(face);
    this.#details.show(face, this.#result.image);
    this.#comparison?.show(index);
    for (const button of document.querySelectorAll("#picture-boxes button, #faces button")) {
      button.setAttribute("aria-pressed", Number(button.dataset.face) === index);
    }
  }

  /** How sure the result is, what else it may be, and what speaks against it, in one line. */
  #sureness(face) {
    const level = shownLevel(face);
    const [, second] = Object.entries(face.probabilities).sort((a, b) => b[1] - a[1]);
    const runnerUp = level === "uncertain" && second ? h("span", { class: "prediction__also" }, `or ${adjective(second[0])}, ${percent(second[1])}`) : null;
    return h(
      "p",
      { class: "prediction__sure", data: { level } },
      h("span", { class: "badge" }, glyph(levelEmoji(level)), `${capital(percent(face.confidence))}, ${LEVELS[level].sure}`),
      runnerUp,
      this.#warningsOf(face).map((code) => h("span", { class: "note" }, icon("warn"), WARNINGS[code]?.[0] ?? capital(code.replaceAll("_", " ")))),
    );
  }

  /** The warnings of a face, by their codes. Every face has its own box here, so that there are several is no warning. */
  #warningsOf(face) {
    const several = facesOf(this.#result).length > 1;
    return face.warnings.map(({ code }) => code).filter((code) => !(code === "multiple_faces" && several));
  }

  #advice(face) {
    const shown = face.warnings.filter(({ code }) => this.#warningsOf(face).includes(code));
    return h(
      "div",
      {},
      shown.map(({ code, message }) => {
        const [, what, then] = WARNINGS[code] ?? ["", message, ""];
        return h("div", { class: "warning", data: { code } }, icon("warn"), h("strong", {}, what), h("p", {}, then));
      }),
    );
  }

  #showExplanation(face) {
    const { explanation } = face;
    $("heatmap-hint").textContent = explanation
      ? `Slide to see it: the warmer a spot, the more it spoke for “${explanation.label}”.`
      : "Slide to see it. This model takes a moment longer to tell.";
    const { width, height } = this.#result.image;
    drawHeat($("picture-heatmap"), explanation, width, height);
  }

  #setOpacity() {
    const value = Number($("heatmap-opacity").value);
    $("picture-heatmap").style.opacity = value / 100;
    $("heatmap-value").textContent = `${value} %`;
  }

  #boxFaces() {
    const { width, height } = this.#result.image;
    const faces = facesOf(this.#result);
    const crowded = faces.length > CROWD;
    const boxes = faces.map((face, index) => {
      const { box } = face.face;
      const name = `Face ${index + 1} of ${faces.length}: ${face.emotion}, ${percent(face.confidence)}`;
      const tag = faces.length > 1 ? h("span", { class: "box__tag", "aria-hidden": "true" }, index + 1) : null;
      const button = h("button", { class: "box", type: "button", "aria-label": name, "aria-pressed": false, tabindex: crowded && -1, data: { face: index } }, tag);
      button.addEventListener("click", () => this.#choose(index));
      const shares = { x: box.x / width, y: box.y / height, width: box.width / width, height: box.height / height };
      for (const [side, share] of Object.entries(shares)) button.style.setProperty(`--${side}`, share);
      return button;
    });
    $("picture-boxes").replaceChildren(...boxes);
    $("picture-boxes").toggleAttribute("data-crowded", crowded);
    $("picture-boxes").toggleAttribute("data-packed", faces.length > PACKED);
    this.#listFaces();
  }

  /** A list of the faces, because small boxes are hard to click. The pictures in it are drawn when the photo is. */
  #listFaces() {
    const faces = facesOf(this.#result);
    $("faces").hidden = faces.length < 2;
    if (faces.length < 2) return;
    const cuts = faces.map(() => h("canvas", { width: 80, height: 80, "aria-hidden": "true" }));
    $("faces").replaceChildren(
      ...faces.map((face, index) =>
        h(
          "button",
          { type: "button", "aria-pressed": index === this.#face, data: { face: index }, onclick: () => this.#choose(index) },
          cuts[index],
          h("span", {}, `${index + 1}. ${capital(adjective(face.emotion))}`),
        ),
      ),
    );
    this.#drawFaces(faces, cuts);
  }

  async #drawFaces(faces, cuts) {
    const { width } = this.#result.image;
    const image = $("picture-image");
    await image.decode().catch(() => {});
    const scale = image.naturalWidth / width;
    faces.forEach(({ face: { box } }, index) => {
      const cut = cutFace(image, box, scale, 1.3, cuts[index].width);
      cuts[index].getContext("2d").drawImage(cut, 0, 0);
    });
  }

  #choose(index) {
    this.#showFace(index);
    announce(this.#announcement());
  }

  async #showRequest() {
    const { timings_ms: timings, model, faces_detected: found } = this.#result;
    $("result-summary").textContent = `${plural(found, "face")} found, read ${device.on ? "on this device " : ""}in ${duration(timings.total)} by ${model.name} ${model.version}.`;
    const [query, { name }] = [this.#query(), this.#picture.file];
    const { asCurl } = await import("./request-snippets.js");
    $("curl").textContent = asCurl("predict", query, name);
  }

  #offerModels() {
    const { models } = service;
    const several = models.length > 1;
    $("model-picker").hidden = !several;
    $("compare").hidden = !several;
    if (!several) return;
    const chosen = this.#model || service.defaultModel;
    $("model").replaceChildren(...models.map(({ name, version }) => h("option", { value: name, selected: name === chosen }, version ? `${name} ${version}` : name)));
    this.#offerComparison();
  }

  /** Its module is loaded when it is wanted first: most who come here have one photo and one model. */
  async #offerComparison() {
    if (!$("compare").open) return;
    const { Comparison } = await import("./comparison.js");
    this.#comparison ??= new Comparison($("compare-body"));
    if (this.#result) this.#comparison.offer(service.models, this.#picture.file, this.#result, this.#query(), this.#face);
  }

  async #openPreview() {
    this.#stop();
    const { signal } = (this.#call = new AbortController());
    this.#setState("camera");
    try {
      await openCamera($("preview-video"), CAMERA_SIDE, () => !signal.aborted);
      if (!signal.aborted) $("preview-take").focus({ preventScroll: true });
    } catch (error) {
      if (signal.aborted) return;
      this.#picture = null;
      this.#showError(error, () => this.#openPreview());
    }
  }

  async #takePhoto() {
    const video = $("preview-video");
    if (!video.videoWidth) return;
    const file = await snapshot(video, CAMERA_SIDE, 0.92);
    this.take([file]);
  }
}

export const photo = new Photo();
