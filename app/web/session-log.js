/** The predictions of a session, as they came: for its downloads, and for its summary where the connection was lost. */

import { asTable } from "./export.js";

/** As many as the service summarises. */
const MOST_FRAMES = 100_000;
const PRACTICE = ["practice_confidence", "practice_smoothed", "practice_level"];

export class SessionLog {
  frames = [];
  labels = [];
  #base = 0;
  #last = 0;

  /** Begins a connection, in which faces are numbered from 1 again. */
  begin(labels) {
    this.labels = labels;
    this.#base = this.#last;
  }

  /** Adds the predictions of a frame, the largest face first. Returns them with numbers that no other face has. */
  add({ t, faces, practice }) {
    const numbered = faces.map((face) => ({ ...face, track: this.#base + face.track }));
    this.#last = Math.max(this.#last, ...numbered.map(({ track }) => track));
    if (this.frames.length < MOST_FRAMES) this.frames.push({ t, practice, faces: numbered.map(({ face, smoothed, ...rest }) => rest) });
    return numbered;
  }

  /** The largest face of every frame, as the service takes it. */
  asSeries(profile) {
    const frames = this.frames.map(({ t, faces: [face] }) => ({
      t,
      probabilities: face?.probabilities ?? null,
      warnings: face?.warnings.map(({ code }) => code) ?? [],
      action_units: face?.action_units ? Object.fromEntries(Object.entries(face.action_units).map(([code, { intensity }]) => [code, intensity])) : null,
    }));
    return { profile, frames };
  }

  /**
   * Every face of every frame, in the columns of `POST /analyze/session` with `Accept: text/csv`. With a profile, the
   * largest face of a frame has its figures.
   */
  asCsv(profile) {
    const head = ["t", "track", "emotion", "confidence", "is_uncertain", ...this.labels.map((label) => `p_${label}`), "warnings", ...(profile ? PRACTICE : [])];
    const rows = this.frames.flatMap(({ t, faces, practice }) =>
      faces.length ? faces.map((face, index) => this.#row(t, face, profile, index === 0 ? practice : undefined)) : [[t, ...head.slice(1).map(() => "")]],
    );
    return asTable([head, ...rows]);
  }

  #row(t, face, profile, practice) {
    return [
      ...[t, face.track, face.emotion, face.confidence, face.is_uncertain],
      ...this.labels.map((label) => face.probabilities[label]),
      face.warnings.map(({ code }) => code).join(" "),
      ...(profile ? [practice?.confidence, practice?.smoothed_confidence, practice?.level] : []),
    ];
  }
}
