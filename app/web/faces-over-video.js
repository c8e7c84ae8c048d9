/** Marks around the faces of a video, with their numbers, in the colours of their levels. */

import { h } from "./dom.js";

export class FaceMarks {
  #place;
  #marks = new Map();

  constructor(place) {
    this.#place = place;
  }

  /** Marks the faces of a frame. The whole video shows, in the middle of its place. */
  show(faces, image, selected) {
    const { clientWidth, clientHeight } = this.#place;
    const scale = Math.min(clientWidth / image.width, clientHeight / image.height);
    const [left, top] = [(clientWidth - image.width * scale) / 2, (clientHeight - image.height * scale) / 2];
    for (const face of faces) {
      const { box } = face.face;
      const mark = this.#mark(face.track);
      mark.dataset.level = face.level;
      mark.toggleAttribute("data-selected", face.track === selected);
      mark.style.transform = `translate(${left + box.x * scale}px, ${top + box.y * scale}px)`;
      mark.style.width = `${box.width * scale}px`;
      mark.style.height = `${box.height * scale}px`;
    }
    const seen = new Set(faces.map(({ track }) => track));
    for (const [track, mark] of this.#marks) {
      if (seen.has(track)) continue;
      mark.remove();
      this.#marks.delete(track);
    }
  }

  clear() {
    this.#place.replaceChildren();
    this.#marks.clear();
  }

  #mark(track) {
    if (!this.#marks.has(track)) {
      const mark = h("div", { class: "live-box" }, h("span", { class: "live-box__tag" }, track));
      this.#place.append(mark);
      this.#marks.set(track, mark);
    }
    return this.#marks.get(track);
  }
}
