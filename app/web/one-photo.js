/** The One photo view: a photo, its result, the explanation, and the request that was sent. */

import * as api from "./api.js";
import { closeCamera, openCamera, snapshot } from "./camera.js";
import { $, announce, copy, h, icon } from "./dom.js";
import { showError } from "./error-panel.js";
import { capital, duration, percent, plural } from "./format.js";
import { drawHeat } from "./heatmap.js";
import { cutOut, prepare } from "./picture-file.js";
import { Bars } from "./probability-bars.js";
import { asCurl, asJson } from "./request-snippets.js";
import { service } from "./service.js";
import { adjective, emoji, levelOf, LEVELS, WARNINGS } from "./texts.js";

const MOST_COMPARED = 4;
const CAMERA_SIDE = 1280;

class Photo {
  #picture = null;
  #result = null;
  #face = 0;
  #model = "";
  #onNoFace = "";
  #wantsExplanation = false;
  #url = "";
  #bars = null;
  #call = null;
  #hideError = () => {};
  #idleNote = "";
  /** The milliseconds of each stage of the last result; the About view shows them. */
  timings = null;

  start() {
    this.#idleNote = $("photo-note").textContent;
    $("photo-choose").addEventListener("click", () => $("photo-file").click());
    $("photo-file").addEventListener("change", (event) => {
      const [file] = event.target.files;
      event.target.value = "";
      if (file) this.take([file]);
    });
    $("photo-another").addEventListener("click", () => this.reset());
    $("photo-camera").addEventListener("click", () => this.#openPreview());
    $("preview-close").addEventListener("click", () => this.reset());
    $("preview-take").addEventListener("click", () => this.#takePhoto());
    $("samples").addEventListener("click", (event) => {
      const button = event.target.closest("[data-sample]");
      if (button) this.#takeSample(button.dataset.sample);
    });
    $("heatmap-opacity").addEventListener("input", () => this.#setOpacity());
    $("heatmap-opacity").addEventListener("change", () => this.#requestExplanation());
    $("model").addEventListener("change", (event) => {
      this.#model = event.target.value;
      this.#predict();
    });
    for (const button of document.querySelectorAll("#request [data-copy]")) {
      button.addEventListener("click", () => copy($(button.dataset.copy).textContent, button));
    }
    for (const image of document.querySelectorAll("#samples img")) {
      const drop = () => image.closest("li").remove();
      if (image.complete && !image.naturalWidth) drop();
      else image.addEventListener("error", drop);
    }
    service.addEventListener("loaded", () => this.#offerModels());
    new ResizeObserver(() => this.#fit()).observe($("frame"));
    this.#buildBars();
  }

  leave() {
    if ($("view-photo").dataset.state === "camera") this.reset();
  }

  async take([file]) {
    this.#stop();
    closeCamera($("preview-video"));
    this.#result = null;
    this.#onNoFace = "";
    this.#wantsExplanation = false;
    this.#setState("busy");
    this.#clearResult();
    const run = (this.#call = new AbortController());
    const picture = await prepare(file, service.limits.fileBytes);
    if (run.signal.aborted) return;
    this.#picture = picture;
    this.#preview();
    await this.#predict();
  }

  reset() {
    this.#stop();
    closeCamera($("preview-video"));
    this.#picture = this.#result = null;
    $("photo-note").textContent = this.#idleNote;
    this.#setState("empty");
    $("photo-choose").focus({ preventScroll: true });
    announce("Ready for another photo");
  }

  #stop() {
    this.#call?.abort();
    this.#hideError();
    this.#hideError = () => {};
  }

  #setState(state) {
    const before = $("view-photo").dataset.state;
    $("view-photo").dataset.state = state;
    const has = state === "busy" || state === "done" || state === "error";
    const hadFocus = $("intro").contains(document.activeElement) || $("frame-drop").contains(document.activeElement);
    $("frame-drop").hidden = state !== "empty";
    $("intro").hidden = has;
    $("result").hidden = !(state === "busy" || state === "done");
    $("picture").hidden = !has || !this.#picture?.width;
    $("frame-blank").hidden = !has || this.#picture?.width !== 0;
    $("photo-another").hidden = !has;
    $("preview").hidden = state !== "camera";
    $("explanation").hidden = !has || state === "error";
    $("result").setAttribute("aria-busy", state === "busy");
    if (before === "empty" && has) {
      window.scrollTo(0, 0);
      if (hadFocus) $("photo-another").focus({ preventScroll: true });
    }
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
    $("picture").hidden = !width;
    $("frame-blank").hidden = width !== 0;
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
    this.#stop();
    this.#picture = null;
    this.#setState("busy");
    this.#clearResult();
    const run = (this.#call = new AbortController());
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
    const explain = this.#wantsExplanation || this.#explainsQuickly ? "grid" : "";
    return { faces: "all", explain, model: this.#model, on_no_face: this.#onNoFace };
  }

  /** Class-activation maps cost nothing. Occlusion maps take many inferences, so they are requested only when wanted. */
  get #explainsQuickly() {
    return service.model(this.#model || service.defaultModel)?.explains_by !== "occlusion";
  }

  #requestExplanation() {
    if (this.#wantsExplanation || this.#explainsQuickly || $("view-photo").dataset.state !== "done") return;
    this.#wantsExplanation = true;
    this.#predict();
  }

  async #predict() {
    this.#stop();
    const run = (this.#call = new AbortController());
    const fresh = $("view-photo").dataset.state !== "done";
    this.#setState("busy");
    if (fresh) this.#clearResult();
    try {
      const result = await api.predict(this.#picture.file, this.#query(), run.signal);
      if (run.signal.aborted) return;
      this.#show(result);
    } catch (error) {
      if (error.code !== "aborted" && !run.signal.aborted) this.#showError(error, () => this.#predict());
    }
  }

  #showError(error, again) {
    this.#setState("error");
    if (error.code === "not_ready") service.check();
    this.#hideError = showError($("photo-error"), error, {
      again,
      another: () => this.reset(),
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

  #buildBars() {
    const labels = service.model(this.#model)?.labels ?? service.labels;
    if (this.#bars?.labels.join() !== labels.join()) this.#bars = new Bars($("bars"), labels);
  }

  #clearResult() {
    this.#buildBars();
    this.#bars.clear();
    $("prediction").dataset.level = "none";
    $("prediction-lead").textContent = "Reading";
    $("prediction-label").replaceChildren(h("span", { class: "prediction__wait", "aria-hidden": "true" }), h("span", { class: "visually-hidden" }, "The photo is being read"));
    $("prediction-sure").replaceChildren();
    $("warnings").replaceChildren();
    $("extras").hidden = true;
    $("picture-boxes").replaceChildren();
    $("faces").hidden = true;
    $("heatmap-opacity").value = 0;
    $("heatmap-opacity").disabled = true;
    $("heatmap-hint").textContent = "Slide to show on the face what led to this result.";
    this.#setOpacity();
    $("compare-body").replaceChildren();
  }

  #show(result) {
    this.#result = result;
    this.#face = 0;
    this.timings = result.timings_ms;
    const labels = Object.keys(result.probabilities);
    if (this.#bars.labels.join() !== labels.join()) this.#bars = new Bars($("bars"), labels);
    this.#setState("done");
    this.#boxFaces();
    this.#showFace(0);
    this.#showRequest();
    this.#offerModels();
    $("extras").hidden = false;
    announce(this.#announcement());
  }

  get #faces() {
    return this.#result.faces?.length ? this.#result.faces : [this.#result];
  }

  #announcement() {
    const faces = this.#faces;
    const face = faces[this.#face];
    const which = faces.length > 1 ? `Face ${this.#face + 1} of ${faces.length}. ` : "";
    const level = levelOf(face.confidence, face.is_uncertain);
    const noted = face.warnings.length ? ` ${plural(face.warnings.length, "note")} on the photo.` : "";
    return `${which}${LEVELS[level].lead} ${adjective(face.emotion)}, ${percent(face.confidence)}, ${LEVELS[level].sure}.${noted}`;
  }

  #showFace(index) {
    this.#face = index;
    const face = this.#faces[index];
    const level = levelOf(face.confidence, face.is_uncertain);
    const [, second] = Object.entries(face.probabilities).sort((a, b) => b[1] - a[1]);
    $("prediction").dataset.level = level;
    $("prediction-lead").textContent = LEVELS[level].lead;
    $("prediction-label").replaceChildren(
      h("span", { class: "shown" }, capital(adjective(face.emotion))),
      h("span", { class: "emoji", "aria-hidden": "true" }, emoji(face.emotion)),
    );
    const runnerUp = level === "low" && second ? h("span", { class: "prediction__also" }, `or ${adjective(second[0])}, ${percent(second[1])}`) : null;
    $("prediction-sure").replaceChildren(
      ...[h("span", { class: "badge" }, icon(level), `${percent(face.confidence)}, ${LEVELS[level].sure}`), runnerUp].filter(Boolean),
    );
    this.#bars.show(face.probabilities, face.emotion, level);
    this.#showWarnings(face.warnings);
    this.#showExplanation(face);
    for (const button of document.querySelectorAll("#picture-boxes button, #faces button")) {
      button.setAttribute("aria-pressed", Number(button.dataset.face) === index);
    }
  }

  #showWarnings(warnings) {
    const found = this.#faces.length;
    // Every face has its own box here, so the warning about several faces is left out.
    const shown = warnings.filter((warning) => !(warning.code === "multiple_faces" && found > 1));
    $("warnings").replaceChildren(
      ...shown.map(({ code, message }) => {
        const [what, then] = WARNINGS[code] ?? [message, ""];
        return h("div", { class: "warning", data: { code } }, icon("warn"), h("strong", {}, what), h("p", {}, then));
      }),
    );
  }

  #showExplanation(face) {
    const { explanation } = face;
    $("heatmap-opacity").disabled = false;
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
    const faces = this.#faces;
    const boxes = faces.map((face, index) => {
      const { box } = face.face;
      const name = `Face ${index + 1} of ${faces.length}: ${face.emotion}, ${percent(face.confidence)}`;
      const tag = faces.length > 1 ? h("span", { class: "box__tag", "aria-hidden": "true" }, emoji(face.emotion)) : null;
      const button = h("button", { class: "box", type: "button", "aria-label": name, "aria-pressed": false, data: { face: index } }, tag);
      button.addEventListener("click", () => this.#choose(index));
      button.style.left = `${(box.x / width) * 100}%`;
      button.style.top = `${(box.y / height) * 100}%`;
      button.style.width = `${(box.width / width) * 100}%`;
      button.style.height = `${(box.height / height) * 100}%`;
      return button;
    });
    $("picture-boxes").replaceChildren(...boxes);
    this.#listFaces();
  }

  /** A list of the faces, because small boxes are hard to click. */
  async #listFaces() {
    const faces = this.#faces;
    $("faces").hidden = true;
    if (faces.length < 2) return;
    const result = this.#result;
    const image = $("picture-image");
    await image.decode().catch(() => {});
    if (result !== this.#result) return;
    const scale = image.naturalWidth / result.image.width;
    $("faces").replaceChildren(
      ...faces.map((face, index) => {
        const { x, y, width, height } = face.face.box;
        const cut = cutOut(image, (x + width / 2) * scale, (y + height / 2) * scale, Math.max(width, height) * 1.3 * scale, 80);
        cut.setAttribute("aria-hidden", "true");
        return h(
          "button",
          { type: "button", "aria-pressed": index === this.#face, data: { face: index }, onclick: () => this.#choose(index) },
          cut,
          `${capital(adjective(face.emotion))} ${percent(face.confidence)}`,
        );
      }),
    );
    $("faces").hidden = false;
  }

  #choose(index) {
    this.#showFace(index);
    announce(this.#announcement());
  }

  #showRequest() {
    $("curl").textContent = asCurl("predict", this.#query(), this.#picture.file.name);
    $("json").textContent = asJson(this.#result);
    const { timings_ms: timings, model, faces_detected: found } = this.#result;
    $("result-summary").textContent = `${plural(found, "face")} found, read in ${duration(timings.total)} by ${model.name} ${model.version}.`;
  }

  #offerModels() {
    const { models } = service;
    const several = models.length > 1;
    $("model-picker").hidden = !several;
    $("compare").hidden = !several;
    if (!several) return;
    const chosen = this.#model || service.defaultModel;
    $("model").replaceChildren(...models.map(({ name, version }) => h("option", { value: name, selected: name === chosen }, version ? `${name} ${version}` : name)));
    if (!$("compare-body").childElementCount) this.#buildComparison(models);
  }

  #buildComparison(models) {
    const boxes = models.map(({ name }, index) =>
      h("label", {}, h("input", { type: "checkbox", value: name, checked: index < MOST_COMPARED }), name),
    );
    const place = h("div", { role: "status" });
    const button = h("button", { type: "button", class: "button button--small" }, "Compare on this photo");
    button.addEventListener("click", () => {
      const names = boxes.map((box) => box.firstChild).filter((input) => input.checked).map((input) => input.value);
      this.#compare(names, button, place);
    });
    const legend = h("legend", { class: "visually-hidden" }, "Models to compare");
    $("compare-body").replaceChildren(h("fieldset", { class: "choices" }, legend, boxes), button, place);
  }

  async #compare(names, button, place) {
    if (names.length < 2) {
      place.replaceChildren(h("p", { class: "comparison-result" }, "Choose at least two."));
      return;
    }
    button.disabled = true;
    const picture = this.#picture;
    try {
      const result = await api.compare(picture.file, { models: names.join(","), faces: "largest" });
      if (picture === this.#picture) place.replaceChildren(...this.#compared(result));
    } catch (error) {
      const small = h("div");
      place.replaceChildren(small);
      const end = showError(small, error, {
        again: () => {
          end();
          this.#compare(names, button, place);
        },
      }, { small: true });
    }
    button.disabled = false;
  }

  #compared(result) {
    const rows = result.models.map((entry) => {
      const level = levelOf(entry.confidence, entry.is_uncertain);
      return h(
        "tr",
        { data: { level: level } },
        h("th", { scope: "row" }, entry.model.name),
        h("td", {}, h("span", { class: "emoji", "aria-hidden": "true" }, emoji(entry.emotion)), ` ${capital(entry.emotion)}`),
        h("td", { class: "num" }, `${percent(entry.confidence)}${level === "low" ? ", uncertain" : ""}`),
        h("td", { class: "num" }, duration(entry.inference_time_ms)),
      );
    });
    const heads = ["Model", "Says", "Confidence", "Time"].map((text, index) => h("th", { scope: "col", class: index > 1 ? "num" : "" }, text));
    const [widest] = Object.entries(result.largest_difference ?? {}).sort((a, b) => b[1] - a[1]);
    const apart = widest ? ` They are furthest apart on ${widest[0]}: ${Math.round(widest[1] * 100)} points.` : "";
    return [
      h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows))),
      h("p", { class: "comparison-result" }, (result.agree ? "They agree." : "They disagree.") + apart),
      result.faces_detected > 1 ? h("p", { class: "small-print" }, "Compared on the largest face.") : "",
    ];
  }

  async #openPreview() {
    this.#stop();
    this.#setState("camera");
    try {
      await openCamera($("preview-video"), CAMERA_SIDE);
      $("preview-take").focus({ preventScroll: true });
    } catch (error) {
      this.#picture = null;
      this.#showError(error, () => this.#openPreview());
      $("photo-another").hidden = false;
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
