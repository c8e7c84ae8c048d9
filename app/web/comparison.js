/** Several models on one photo: what each says of the chosen face, with its bars, its map and its time. */

import * as api from "./api.js";
import { glyph, h } from "./dom.js";
import { showError } from "./error-panel.js";
import { capital, duration, percent, plural } from "./format.js";
import { drawHeat, MOST_OCCLUDED } from "./heatmap.js";
import { emoji, levelEmoji, shownLevel } from "./levels.js";
import { cutFace, openPicture } from "./picture-file.js";
import { Bars, seen } from "./probability-bars.js";
import { service } from "./service.js";
import { adjective, LEVELS } from "./texts.js";

const MOST = 4;
const MAP_SIDE = 240;
const MAP_STRENGTH = 0.55;

/** The face of a result by its number. All models get the faces of one detector, in the same order. */
const faceAt = (result, index) => (result.faces ?? [result])[index] ?? result;

export class Comparison {
  #place;
  #columns = h("div", { class: "compared", role: "status" });
  #source = null;
  #picture = null;
  #results = [];
  #index = 0;
  #call = null;

  constructor(place) {
    this.#place = place;
  }

  clear() {
    this.#call?.abort();
    this.#results = [];
    this.#columns.replaceChildren();
    this.#place.replaceChildren();
  }

  /** Offers to compare models on a picture. `result` is what one of them has said already, of `query`. */
  offer(models, file, result, query, index) {
    this.#index = index;
    this.#source = { file, result, query };
    if (this.#place.childElementCount) return;
    const boxes = models.map(({ name }, place) => h("label", {}, h("input", { type: "checkbox", value: name, checked: place < MOST }), name));
    const button = h("button", { type: "button", class: "button button--small" }, "Compare on this face");
    button.addEventListener("click", () => {
      const names = boxes.map((box) => box.firstChild).filter((input) => input.checked).map((input) => input.value);
      this.#run(names, button);
    });
    const legend = h("legend", { class: "visually-hidden" }, "Models to compare");
    const choice = models.length > 2 ? h("fieldset", { class: "choices" }, legend, boxes) : null;
    this.#place.replaceChildren(...[choice, button, this.#columns].filter(Boolean));
  }

  /** Shows what was compared for another face. */
  show(index) {
    this.#index = index;
    if (this.#results.length) this.#draw();
  }

  async #run(names, button) {
    if (names.length < 2) {
      this.#columns.replaceChildren(h("p", {}, "Choose at least two."));
      return;
    }
    this.#call?.abort();
    const { signal } = (this.#call = new AbortController());
    button.disabled = true;
    const { file, result: known, query } = this.#source;
    const few = (known.faces?.length ?? 1) <= MOST_OCCLUDED;
    try {
      const results = [];
      for (const name of names) {
        const has = name === known.model.name && known.explanation;
        const model = service.model(name);
        const method = few && model?.explain_methods?.includes(query.explain_method) ? query.explain_method : "";
        const asked = { ...query, model: name, faces: "all", explain: few || model?.explains_by !== "occlusion" ? "grid" : "", explain_method: method, details: "" };
        results.push(has ? known : await api.predict(file, asked, signal));
      }
      this.#picture = await openPicture(file);
      if (signal.aborted) return;
      this.#results = results;
      this.#draw();
    } catch (error) {
      if (signal.aborted) return;
      const small = h("div");
      this.#columns.replaceChildren(small);
      const end = showError(small, error, {
        again: () => {
          end();
          this.#run(names, button);
        },
      }, { small: true });
    } finally {
      button.disabled = false;
    }
  }

  #draw() {
    const faces = this.#results.map((result) => faceAt(result, this.#index));
    const shown = seen(this.#results.flatMap((result) => (result.faces ?? [result]).map(({ probabilities }) => probabilities)));
    const models = this.#results.map((result, place) => this.#column(result, faces[place], shown));
    this.#columns.style.setProperty("--models", models.length);
    this.#columns.replaceChildren(...models, h("p", { class: "compared__sum" }, difference(faces)));
  }

  #column({ model, inference_time_ms: took, faces_detected: found, image }, face, shown) {
    const level = shownLevel(face);
    const place = h("div", { class: "bars bars--narrow" });
    const bars = new Bars(place);
    bars.build(Object.keys(face.probabilities), shown);
    bars.show(face.probabilities, face.emotion, level);
    return h(
      "section",
      { class: "compared__model", data: { level } },
      h("h2", {}, `${model.name} ${model.version}`),
      this.#map(face, image),
      h("p", { class: "compared__says" }, glyph(emoji(face.emotion)), ` ${capital(adjective(face.emotion))}`),
      h("p", { class: "badge" }, glyph(levelEmoji(level)), `${capital(percent(face.confidence))}, ${LEVELS[level].sure}`),
      place,
      h("p", { class: "small-print" }, `${duration(took)} for ${plural(found, "face")}`),
    );
  }

  /** The face with the map of what led to its prediction. */
  #map({ face: { box }, explanation }, image) {
    const heat = h("canvas");
    drawHeat(heat, explanation, image.width, image.height);
    const cut = (source) => cutFace(source, box, source.width / image.width, 1.25, MAP_SIDE);
    const canvas = this.#picture ? cut(this.#picture) : h("canvas", { width: MAP_SIDE, height: MAP_SIDE });
    const context = canvas.getContext("2d");
    context.globalAlpha = MAP_STRENGTH;
    context.drawImage(cut(heat), 0, 0);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", explanation ? `Where it looked for “${explanation.label}”` : "Face");
    return canvas;
  }
}

/** Whether the models agree, and where they are furthest apart. */
function difference(faces) {
  const agree = new Set(faces.map(({ emotion }) => emotion)).size === 1;
  const apart = Object.keys(faces[0].probabilities).map((label) => {
    const shares = faces.map(({ probabilities }) => probabilities[label] ?? 0);
    return [label, Math.max(...shares) - Math.min(...shares)];
  });
  const [label, most] = apart.reduce((a, b) => (b[1] > a[1] ? b : a));
  if (agree && most < 0.005) return "They agree. No figure differs by a point.";
  return `${agree ? "They agree." : "They disagree."} They are furthest apart on ${label}: ${plural(Math.round(most * 100), "point")}.`;
}
