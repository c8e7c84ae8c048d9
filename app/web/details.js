/** What the face does: its mesh and active units over the photo, the head pose, the units as a chart, the description. */

import { copy, h, icon, svg } from "./dom.js";
import { capital, ratio } from "./format.js";
import { service } from "./service.js";

/** What the page asks for. */
const NAMES = "action_units,head_pose,mesh,description";

/** Where each unit acts: points of the mesh, those of the person's left side first. */
const PLACES = {
  AU1: [336, 107], AU2: [334, 105], AU4: [285, 55], AU5: [386, 159], AU6: [425, 205], AU7: [374, 145], AU9: [412, 188],
  AU10: [269, 39], AU12: [291, 61], AU14: [410, 186], AU15: [432, 212], AU16: [405, 181], AU17: [199], AU18: [0], AU20: [287, 57],
  AU22: [17], AU23: [13], AU24: [14], AU25: [14], AU26: [152], AU27: [152], AU28: [17], AU43: [386, 159], AU45: [386, 159],
};

/** Lines through points of the mesh: the outline of the face, the eyes, the brows, the lips and the nose. */
const LINES = [
  [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109, 10],
  [33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7, 33],
  [263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249, 263],
  [46, 53, 52, 65, 55],
  [276, 283, 282, 295, 285],
  [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146, 61],
  [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95, 78],
  [168, 6, 197, 195, 5, 4],
  [98, 97, 2, 326, 327],
];

const SMALLEST_FACE = 0.5;

/** Most units that are listed for a face. */
const MOST_OF_FACE = 6;

/** Share of the frames of a session from which a unit is listed, and most units that are. */
const [LEAST_SHARE, MOST_OF_SESSION] = [0.05, 8];

/** The angles in words, seen from the person. */
function poseInWords({ yaw, pitch, roll }) {
  const parts = [
    [yaw, "turned to their left", "turned to their right"],
    [pitch, "looking up", "looking down"],
    [roll, "tilted to their right", "tilted to their left"],
  ].filter(([angle]) => Math.abs(angle) >= 2);
  if (!parts.length) return "Straight ahead";
  return capital(parts.map(([angle, plus, minus]) => `${angle > 0 ? plus : minus} by ${Math.abs(Math.round(angle))}°`).join(", "));
}

/** A head seen from the front, with a line from its middle to where the nose points. */
function poseDrawing({ yaw, pitch, roll }) {
  const radians = (degrees) => (degrees * Math.PI) / 180;
  const x = 32 + 26 * Math.sin(radians(yaw));
  const y = 32 - 26 * Math.sin(radians(pitch));
  return svg(
    "svg",
    { class: "pose__head", viewBox: "0 0 64 64", width: 64, height: 64, "aria-hidden": "true" },
    svg("g", { transform: `rotate(${-roll} 32 32)` }, svg("ellipse", { cx: 32, cy: 32, rx: 19, ry: 25 }), svg("path", { d: "M32 7v7M13 32h5M46 32h5" })),
    svg("line", { x1: 32, y1: 32, x2: x, y2: y }),
    svg("circle", { cx: x, cy: y, r: 4 }),
  );
}

/**
 * The units as a chart: the active ones first, then the strongest. The mark in each bar is where a unit becomes active.
 * With `steady` the rows keep the order of their numbers, for a face that moves.
 */
export class UnitsChart {
  #place;
  #steady;

  constructor(place, { steady = false } = {}) {
    this.#place = place;
    this.#steady = steady;
  }

  show(units) {
    const rows = Object.entries(units ?? {})
      .filter(([, { active, intensity }]) => active || intensity >= 0.1)
      .sort(([, one], [, other]) => other.active - one.active || other.intensity - one.intensity)
      .slice(0, MOST_OF_FACE);
    if (this.#steady) rows.sort(([one], [other]) => Number(one.slice(2)) - Number(other.slice(2)));
    if (!rows.length) {
      this.#place.replaceChildren(h("p", { class: "units__none" }, units ? "No movement stands out." : "Too little of the face shows to measure its movements."));
      return;
    }
    this.#place.replaceChildren(h("ul", { class: "units", "aria-label": "Movements of the face" }, rows.map(([code, unit]) => unitRow(code, unit, `${Math.round(unit.intensity * 100)} %`))));
  }
}

function unitRow(code, { name, intensity, active }, value) {
  const { threshold, experimental } = service.units[code] ?? {};
  const fill = h("span", { class: "units__fill" });
  fill.style.width = `${intensity * 100}%`;
  const mark = threshold === undefined ? null : h("span", { class: "units__mark" });
  if (mark) mark.style.left = `${threshold * 100}%`;
  return h(
    "li",
    { class: "units__row", data: { active, unit: code } },
    h("span", {}, capital(name), experimental ? h("small", {}, " experimental") : null),
    h("span", { class: "units__track", "aria-hidden": "true" }, fill, mark),
    h("span", { class: "units__value" }, value, h("span", { class: "visually-hidden" }, active ? ", active" : ", not active")),
  );
}

/** The units of a whole session that were active in at least one frame in twenty, those that were active longest first. */
export function sessionUnits(units) {
  const rows = Object.entries(units)
    .filter(([, { active_share: share }]) => share >= LEAST_SHARE)
    .sort(([, one], [, other]) => other.active_share - one.active_share)
    .slice(0, MOST_OF_SESSION);
  return h(
    "div",
    { class: "report__units" },
    h("h3", {}, "Movements of the face"),
    h("p", { class: "report__facts" }, "Bars show the mean, marks where a movement counts as active, and figures the share of frames in which it was."),
    rows.length
      ? h("ul", { class: "units", "aria-label": "Movements of the face" }, rows.map(([code, { name, mean_intensity: intensity, active_share: share }]) => unitRow(code, { name, intensity, active: share >= 0.5 }, ratio(share))))
      : h("p", { class: "units__none" }, "No movement stands out."),
  );
}

/** Draws the mesh of a face and its active units over a picture of this size. */
function drawMesh(drawing, face, { width, height }) {
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const { mesh, action_units: units } = face;
  if (!mesh) {
    drawing.replaceChildren();
    return;
  }
  const at = (index) => `${mesh[index][0]} ${mesh[index][1]}`;
  const size = Math.max(face.face.box.width / 100, SMALLEST_FACE);
  const dots = svg("path", { class: "mesh__dots", d: mesh.map(([x, y]) => `M${x} ${y}h0`).join(""), "stroke-width": size * 1.1 });
  const lines = svg("path", { class: "mesh__lines", d: LINES.map((line) => `M${line.map(at).join("L")}`).join(""), "stroke-width": size * 0.9 });
  drawing.replaceChildren(lines, dots, ...Object.entries(units ?? {}).filter(([code, { active }]) => active && PLACES[code]).flatMap(([code]) => unitAt(code, mesh, size)));
}

/** A ring at each place of a unit, and its code beside the first. */
function unitAt(code, mesh, size) {
  const rings = PLACES[code].map((index) => svg("circle", { class: "mesh__unit", cx: mesh[index][0], cy: mesh[index][1], r: size * 3, "stroke-width": size * 1.2 }));
  const [x, y] = mesh[PLACES[code][0]];
  const name = svg("text", { class: "mesh__code", x: x + size * 4.5, y: y + size * 2, "font-size": size * 6.5, "stroke-width": size * 1.6 }, code);
  name.dataset.unit = code;
  return [...rings, name];
}

/** The switch below a result, and what it shows. */
export class Details {
  #drawing;
  #switch = h("input", { type: "checkbox", role: "switch", id: "details-switch" });
  #panel = h("div", { class: "details__panel", hidden: true });
  #text = h("p", { class: "details__text", lang: "en" });
  #pose = h("div", { class: "pose" });
  #chart = h("div");
  #units = new UnitsChart(this.#chart);
  #outputs = h("dl", { class: "details__outputs", hidden: true });

  /** `changed` is called when the switch is turned on or off. */
  constructor(place, drawing, changed) {
    this.#drawing = drawing;
    const button = h("button", { class: "button button--small", type: "button", onclick: () => copy(this.#text.textContent, button) }, "Copy");
    this.#panel.append(h("div", { class: "details__said" }, this.#text, button), this.#pose, this.#chart);
    place.append(this.#outputs, h("label", { class: "details__switch" }, this.#switch, h("span", {}, "What the face does")), this.#panel);
    this.#switch.addEventListener("change", () => changed());
    service.addEventListener("loaded", () => {
      for (const label of [place.querySelector("label"), document.getElementById("live-details-choice")]) label.hidden = !service.hasDetails;
    });
  }

  /** What a request has to ask for. */
  get query() {
    return this.#switch.checked ? NAMES : "";
  }

  turnOff() {
    this.#switch.checked = false;
  }

  clear() {
    this.#panel.hidden = true;
    this.#outputs.hidden = true;
    this.#drawing.replaceChildren();
  }

  show(face, image) {
    this.#showOutputs(face.outputs);
    const shown = this.#switch.checked && face.description !== undefined;
    this.#panel.hidden = !shown;
    if (!shown) {
      this.#drawing.replaceChildren();
      return;
    }
    drawMesh(this.#drawing, face, image);
    this.#text.textContent = face.description;
    const pose = face.head_pose;
    this.#pose.replaceChildren(...(pose ? [poseDrawing(pose), h("p", {}, h("strong", {}, "Head"), h("span", {}, poseInWords(pose)))] : [icon("warn"), h("p", {}, h("span", {}, "The head pose cannot be measured."))]));
    this.#units.show(face.action_units);
  }

  /** What a model gives beside its labels. */
  #showOutputs(outputs) {
    this.#outputs.hidden = !outputs;
    const entries = Object.entries(outputs ?? {});
    this.#outputs.replaceChildren(...entries.flatMap(([name, { value, active }]) => [h("dt", {}, capital(name)), h("dd", { data: { active } }, `${value.toFixed(2)}${active ? ", active" : ""}`)]));
  }
}
