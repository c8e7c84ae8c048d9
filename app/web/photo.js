/** One photo: from a picked file to its reading, the reason for it, and the request behind it. */

import * as api from "./api.js";
import { Bars } from "./bars.js";
import { closeCamera, openCamera, snapshot } from "./camera.js";
import { $, capital, copy, duration, h, icon, percent, plural, say } from "./dom.js";
import { drawHeat } from "./heatmap.js";
import { cutOut, prepare } from "./picture.js";
import { asCurl, asJson } from "./request.js";
import { service } from "./service.js";
import { showTrouble } from "./trouble.js";
import { emoji, level, LEVELS, seen, WARNINGS } from "./words.js";

const MOST_COMPARED = 4;
const CAMERA_SIDE = 1280;

class Photo {
  #picture = null;
  #answer = null;
  #face = 0;
  #model = "";
  #onNoFace = "";
  #asksWhy = false;
  #url = "";
  #bars = null;
  #call = null;
  #endTrouble = () => {};
  #idleNote = "";
  /** The stages of the last answer, for the diagram of the road. */
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
    $("photo-camera").addEventListener("click", () => this.#openFinder());
    $("finder-close").addEventListener("click", () => this.reset());
    $("finder-shoot").addEventListener("click", () => this.#shoot());
    $("samples").addEventListener("click", (event) => {
      const button = event.target.closest("[data-sample]");
      if (button) this.#takeSample(button.dataset.sample);
    });
    $("reason-opacity").addEventListener("input", () => this.#fade());
    $("reason-opacity").addEventListener("change", () => this.#askWhy());
    $("model").addEventListener("change", (event) => {
      this.#model = event.target.value;
      this.#ask();
    });
    for (const button of document.querySelectorAll("#request [data-copy]")) {
      button.addEventListener("click", () => copy($(button.dataset.copy).textContent, button));
    }
    for (const image of document.querySelectorAll("#samples img")) {
      const drop = () => image.closest("li").remove();
      if (image.complete && !image.naturalWidth) drop();
      else image.addEventListener("error", drop);
    }
    service.addEventListener("learned", () => this.#offerModels());
    new ResizeObserver(() => this.#fit()).observe($("plate"));
    this.#layBars();
  }

  leave() {
    if ($("view-photo").dataset.state === "camera") this.reset();
  }

  async take([file]) {
    this.#stop();
    closeCamera($("finder-video"));
    this.#answer = null;
    this.#onNoFace = "";
    this.#asksWhy = false;
    this.#become("busy");
    this.#clearReading();
    const run = (this.#call = new AbortController());
    const picture = await prepare(file, service.limits.fileBytes);
    if (run.signal.aborted) return;
    this.#picture = picture;
    this.#preview();
    await this.#ask();
  }

  reset() {
    this.#stop();
    closeCamera($("finder-video"));
    this.#picture = this.#answer = null;
    $("photo-note").textContent = this.#idleNote;
    this.#become("empty");
    $("photo-choose").focus({ preventScroll: true });
    say("Ready for another photo");
  }

  #stop() {
    this.#call?.abort();
    this.#endTrouble();
    this.#endTrouble = () => {};
  }

  #become(state) {
    const before = $("view-photo").dataset.state;
    $("view-photo").dataset.state = state;
    const has = state === "busy" || state === "done" || state === "trouble";
    const hadFocus = $("intro").contains(document.activeElement) || $("plate-drop").contains(document.activeElement);
    $("plate-drop").hidden = state !== "empty";
    $("intro").hidden = has;
    $("reading").hidden = !(state === "busy" || state === "done");
    $("stage").hidden = !has || !this.#picture?.width;
    $("plate-blind").hidden = !has || this.#picture?.width !== 0;
    $("photo-another").hidden = !has;
    $("finder").hidden = state !== "camera";
    $("reason").hidden = !has || state === "trouble";
    $("reading").setAttribute("aria-busy", state === "busy");
    if (before === "empty" && has) {
      window.scrollTo(0, 0);
      if (hadFocus) $("photo-another").focus({ preventScroll: true });
    }
    if (state !== "done" && state !== "busy") {
      $("stage-boxes").replaceChildren();
      $("faces").hidden = true;
    }
  }

  #preview() {
    URL.revokeObjectURL(this.#url);
    this.#url = "";
    const { file, width, note } = this.#picture;
    $("photo-note").textContent = note;
    $("stage").hidden = !width;
    $("plate-blind").hidden = width !== 0;
    if (!width) return;
    this.#url = URL.createObjectURL(file);
    const image = $("stage-picture");
    image.src = this.#url;
    image.alt = `The photo ${file.name}`;
    this.#fit();
  }

  /** The stage has the picture's own proportions, as large as the plate allows. */
  #fit() {
    const { width, height } = this.#picture ?? {};
    if (!width) return;
    const plate = $("plate").getBoundingClientRect();
    const scale = Math.min(plate.width / width, plate.height / height, 4);
    $("stage").style.width = `${width * scale}px`;
    $("stage").style.height = `${height * scale}px`;
  }

  async #takeSample(name) {
    this.#stop();
    this.#picture = null;
    this.#become("busy");
    this.#clearReading();
    const run = (this.#call = new AbortController());
    try {
      const response = await fetch(api.address(`samples/${name}.jpg`), { signal: run.signal });
      if (!response.ok) throw new api.CallError("not_found");
      await this.take([new File([await response.blob()], `${name}.jpg`, { type: "image/jpeg" })]);
    } catch (error) {
      if (run.signal.aborted) return;
      const code = navigator.onLine === false ? "offline" : "unreachable";
      this.#fail(error instanceof api.CallError ? error : new api.CallError(code), () => this.#takeSample(name));
    }
  }

  #query() {
    const explain = this.#asksWhy || this.#explainsAtOnce ? "grid" : "";
    return { faces: "all", explain, model: this.#model, on_no_face: this.#onNoFace };
  }

  /** A map in closed form costs nothing; one by covering parts costs many readings, and is asked for when wanted. */
  get #explainsAtOnce() {
    return service.model(this.#model || service.defaultModel)?.explains_by !== "occlusion";
  }

  #askWhy() {
    if (this.#asksWhy || this.#explainsAtOnce || $("view-photo").dataset.state !== "done") return;
    this.#asksWhy = true;
    this.#ask();
  }

  async #ask() {
    this.#stop();
    const run = (this.#call = new AbortController());
    const fresh = $("view-photo").dataset.state !== "done";
    this.#become("busy");
    if (fresh) this.#clearReading();
    try {
      const answer = await api.predict(this.#picture.file, this.#query(), run.signal);
      if (run.signal.aborted) return;
      this.#show(answer);
    } catch (error) {
      if (error.code !== "aborted" && !run.signal.aborted) this.#fail(error, () => this.#ask());
    }
  }

  #fail(error, again) {
    this.#become("trouble");
    if (error.code === "not_ready") service.check();
    this.#endTrouble = showTrouble($("photo-trouble"), error, {
      again,
      another: () => this.reset(),
      center: () => {
        this.#onNoFace = "center";
        this.#ask();
      },
      default: () => {
        this.#model = "";
        $("model").value = service.defaultModel;
        service.learn();
        this.#ask();
      },
    });
  }

  #layBars() {
    const labels = service.model(this.#model)?.labels ?? service.labels;
    if (this.#bars?.labels.join() !== labels.join()) this.#bars = new Bars($("bars"), labels);
  }

  #clearReading() {
    this.#layBars();
    this.#bars.clear();
    $("verdict").dataset.level = "none";
    $("verdict-lead").textContent = "Looking";
    $("verdict-label").replaceChildren(h("span", { class: "verdict__wait", "aria-hidden": "true" }), h("span", { class: "vh" }, "The photo is being read"));
    $("verdict-sure").replaceChildren();
    $("notes").replaceChildren();
    $("extras").hidden = true;
    $("stage-boxes").replaceChildren();
    $("faces").hidden = true;
    $("reason-opacity").value = 0;
    $("reason-opacity").disabled = true;
    $("reason-hint").textContent = "Slide to lay over the face what moved the answer.";
    this.#fade();
    $("compare-body").replaceChildren();
  }

  #show(answer) {
    this.#answer = answer;
    this.#face = 0;
    this.timings = answer.timings_ms;
    const labels = Object.keys(answer.probabilities);
    if (this.#bars.labels.join() !== labels.join()) this.#bars = new Bars($("bars"), labels);
    this.#become("done");
    this.#boxFaces();
    this.#showFace(0);
    this.#showRequest();
    this.#offerModels();
    $("extras").hidden = false;
    say(this.#spoken());
  }

  get #faces() {
    return this.#answer.faces?.length ? this.#answer.faces : [this.#answer];
  }

  #spoken() {
    const faces = this.#faces;
    const face = faces[this.#face];
    const which = faces.length > 1 ? `Face ${this.#face + 1} of ${faces.length}. ` : "";
    const grade = level(face.confidence, face.is_uncertain);
    const noted = face.warnings.length ? ` ${plural(face.warnings.length, "note")} on the photo.` : "";
    return `${which}${LEVELS[grade].lead} ${seen(face.emotion)}, ${percent(face.confidence)}, ${LEVELS[grade].sure}.${noted}`;
  }

  #showFace(index) {
    this.#face = index;
    const face = this.#faces[index];
    const grade = level(face.confidence, face.is_uncertain);
    const [, second] = Object.entries(face.probabilities).sort((a, b) => b[1] - a[1]);
    $("verdict").dataset.level = grade;
    $("verdict-lead").textContent = LEVELS[grade].lead;
    $("verdict-label").replaceChildren(
      h("span", { class: "shown" }, capital(seen(face.emotion))),
      h("span", { class: "emoji", "aria-hidden": "true" }, emoji(face.emotion)),
    );
    const runnerUp = grade === "low" && second ? h("span", { class: "verdict__also" }, `or ${seen(second[0])}, ${percent(second[1])}`) : null;
    $("verdict-sure").replaceChildren(
      ...[h("span", { class: "badge" }, icon(grade), `${percent(face.confidence)}, ${LEVELS[grade].sure}`), runnerUp].filter(Boolean),
    );
    this.#bars.show(face.probabilities, face.emotion, grade);
    this.#showWarnings(face.warnings);
    this.#showReason(face);
    for (const button of document.querySelectorAll("#stage-boxes button, #faces button")) {
      button.setAttribute("aria-pressed", Number(button.dataset.face) === index);
    }
  }

  #showWarnings(warnings) {
    const found = this.#faces.length;
    // With every face boxed and named, several faces are no trouble.
    const shown = warnings.filter((warning) => !(warning.code === "multiple_faces" && found > 1));
    $("notes").replaceChildren(
      ...shown.map(({ code, message }) => {
        const [what, then] = WARNINGS[code] ?? [message, ""];
        return h("div", { class: "note", data: { code } }, icon("warn"), h("strong", {}, what), h("p", {}, then));
      }),
    );
  }

  #showReason(face) {
    const { explanation } = face;
    $("reason-opacity").disabled = false;
    $("reason-hint").textContent = explanation
      ? `Slide to see it: the warmer a spot, the more it spoke for “${explanation.label}”.`
      : "Slide to see it. This model takes a moment longer to tell.";
    const { width, height } = this.#answer.image;
    drawHeat($("stage-heat"), explanation, width, height);
  }

  #fade() {
    const value = Number($("reason-opacity").value);
    $("stage-heat").style.opacity = value / 100;
    $("reason-value").textContent = `${value} %`;
  }

  #boxFaces() {
    const { width, height } = this.#answer.image;
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
    $("stage-boxes").replaceChildren(...boxes);
    this.#listFaces();
  }

  /** The same faces as a list: small faces are hard to hit in the picture. */
  async #listFaces() {
    const faces = this.#faces;
    $("faces").hidden = true;
    if (faces.length < 2) return;
    const answer = this.#answer;
    const image = $("stage-picture");
    await image.decode().catch(() => {});
    if (answer !== this.#answer) return;
    const scale = image.naturalWidth / answer.image.width;
    $("faces").replaceChildren(
      ...faces.map((face, index) => {
        const { x, y, width, height } = face.face.box;
        const cut = cutOut(image, (x + width / 2) * scale, (y + height / 2) * scale, Math.max(width, height) * 1.3 * scale, 80);
        cut.setAttribute("aria-hidden", "true");
        return h(
          "button",
          { type: "button", "aria-pressed": index === this.#face, data: { face: index }, onclick: () => this.#choose(index) },
          cut,
          `${capital(seen(face.emotion))} ${percent(face.confidence)}`,
        );
      }),
    );
    $("faces").hidden = false;
  }

  #choose(index) {
    this.#showFace(index);
    say(this.#spoken());
  }

  #showRequest() {
    $("curl").textContent = asCurl("predict", this.#query(), this.#picture.file.name);
    $("json").textContent = asJson(this.#answer);
    const { timings_ms: timings, model, faces_detected: found } = this.#answer;
    $("fine").textContent = `${plural(found, "face")} found, read in ${duration(timings.total)} by ${model.name} ${model.version}.`;
  }

  #offerModels() {
    const { models } = service;
    const several = models.length > 1;
    $("picker").hidden = !several;
    $("compare").hidden = !several;
    if (!several) return;
    const chosen = this.#model || service.defaultModel;
    $("model").replaceChildren(...models.map(({ name, version }) => h("option", { value: name, selected: name === chosen }, version ? `${name} ${version}` : name)));
    if (!$("compare-body").childElementCount) this.#layComparison(models);
  }

  #layComparison(models) {
    const boxes = models.map(({ name }, index) =>
      h("label", {}, h("input", { type: "checkbox", value: name, checked: index < MOST_COMPARED }), name),
    );
    const place = h("div", { role: "status" });
    const button = h("button", { type: "button", class: "button button--small" }, "Compare on this photo");
    button.addEventListener("click", () => {
      const names = boxes.map((box) => box.firstChild).filter((input) => input.checked).map((input) => input.value);
      this.#compare(names, button, place);
    });
    const legend = h("legend", { class: "vh" }, "Models to compare");
    $("compare-body").replaceChildren(h("fieldset", { class: "choices" }, legend, boxes), button, place);
  }

  async #compare(names, button, place) {
    if (names.length < 2) {
      place.replaceChildren(h("p", { class: "verdictline" }, "Choose at least two."));
      return;
    }
    button.disabled = true;
    const picture = this.#picture;
    try {
      const answer = await api.compare(picture.file, { models: names.join(","), faces: "largest" });
      if (picture === this.#picture) place.replaceChildren(...this.#compared(answer));
    } catch (error) {
      const slim = h("div");
      place.replaceChildren(slim);
      const end = showTrouble(slim, error, {
        again: () => {
          end();
          this.#compare(names, button, place);
        },
      }, { slim: true });
    }
    button.disabled = false;
  }

  #compared(answer) {
    const rows = answer.models.map((entry) => {
      const grade = level(entry.confidence, entry.is_uncertain);
      return h(
        "tr",
        { data: { level: grade } },
        h("th", { scope: "row" }, entry.model.name),
        h("td", {}, h("span", { class: "emoji", "aria-hidden": "true" }, emoji(entry.emotion)), ` ${capital(entry.emotion)}`),
        h("td", { class: "num" }, `${percent(entry.confidence)}${grade === "low" ? ", uncertain" : ""}`),
        h("td", { class: "num" }, duration(entry.inference_time_ms)),
      );
    });
    const heads = ["Model", "Says", "Confidence", "Time"].map((text, index) => h("th", { scope: "col", class: index > 1 ? "num" : "" }, text));
    const [widest] = Object.entries(answer.largest_difference ?? {}).sort((a, b) => b[1] - a[1]);
    const apart = widest ? ` They are furthest apart on ${widest[0]}: ${Math.round(widest[1] * 100)} points.` : "";
    return [
      h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows))),
      h("p", { class: "verdictline" }, (answer.agree ? "They agree." : "They disagree.") + apart),
      answer.faces_detected > 1 ? h("p", { class: "fine" }, "Compared on the largest face.") : "",
    ];
  }

  async #openFinder() {
    this.#stop();
    this.#become("camera");
    try {
      await openCamera($("finder-video"), CAMERA_SIDE);
      $("finder-shoot").focus({ preventScroll: true });
    } catch (error) {
      this.#picture = null;
      this.#fail(error, () => this.#openFinder());
      $("photo-another").hidden = false;
    }
  }

  async #shoot() {
    const video = $("finder-video");
    if (!video.videoWidth) return;
    const file = await snapshot(video, CAMERA_SIDE, 0.92);
    this.take([file]);
  }
}

export const photo = new Photo();
