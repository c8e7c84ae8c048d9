/** The report of a session: shares, a strip of the whole time, changes, caveats, the profile, and downloads. */

import { sessionUnits } from "./details.js";
import { $, glyph, h, save, svg } from "./dom.js";
import { capital, plural, ratio } from "./format.js";
import { colour, emoji } from "./levels.js";

const [WIDTH, STRIP, CURVE] = [1000, 44, 150];
/** Seconds that a label has to hold to be listed as a change. */
const HELD_S = 0.5;
const [MOST_FACES, MOST_CHANGES] = [6, 12];
const LEVEL_BOUNDS = [0.2, 0.35, 0.5, 0.65, 0.8];
const LEAST = 0.005;

/** Minutes and seconds. */
const clock = (seconds) => {
  const tenths = Math.round(seconds * 10);
  return `${Math.floor(tenths / 600)}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
};

/** Shows a summary. `log` has its frames, `note` is said above the figures, `again` begins another session. */
export function showReport(place, summary, { log, note = "", again }) {
  const span = { from: log.frames[0].t, length: summary.duration || 1 };
  const faces = [...summary.tracks].sort((a, b) => b.frames - a.frames);
  const others = faces.slice(MOST_FACES);
  place.replaceChildren(
    h("h1", { class: "title", tabindex: "-1", id: "report-title" }, "Session report"),
    h("p", { class: "lead" }, figures(summary)),
    note ? h("p", { class: "report__note" }, note) : "",
    h(
      "div",
      { class: "actions report__actions" },
      h("button", { class: "button button--main", type: "button", id: "report-again", onclick: again }, "New session"),
      h("button", { class: "button", type: "button", id: "report-json", onclick: () => save("session.json", "application/json", JSON.stringify(summary, null, 2)) }, "Save as JSON"),
      h("button", { class: "button", type: "button", id: "report-csv", onclick: () => save("session.csv", "text/csv", log.asCsv(summary.profile)) }, "Save as CSV"),
      h("button", { class: "button", type: "button", id: "report-print", onclick: () => window.print() }, "Print"),
    ),
    summary.caveats.length ? caveats(summary.caveats) : "",
    ...faces.slice(0, MOST_FACES).sort((a, b) => a.track - b.track).map((track) => face(track, summary, span)),
    others.length ? h("p", {}, `${plural(others.length, "more face")} with fewer frames ${others.length === 1 ? "is" : "are"} in the downloads.`) : "",
    summary.profile ? practice(summary.profile, span) : "",
    h("p", { class: "small-print" }, "Numbers stand for faces in this session only; nobody is recognised. Nothing of it has been kept."),
  );
  place.hidden = false;
  $("report-title").focus({ preventScroll: true });
  place.scrollIntoView({ block: "start" });
}

function figures({ duration, frames }) {
  const skipped = Object.values(frames.skipped).reduce((sum, count) => sum + count, 0);
  const parts = [duration < 60 ? `${duration.toFixed(1)} seconds` : `${clock(duration)} minutes`, `${plural(frames.read, "frame")} read`];
  if (skipped) parts.push(`${skipped} skipped`);
  if (frames.failed) parts.push(`${frames.failed} failed`);
  if (frames.without_face) parts.push(`${frames.without_face} without a face`);
  return `${parts.join(", ")}.`;
}

function caveats(list) {
  return h(
    "section",
    { class: "report__caveats", "aria-label": "Before you trust it" },
    h("h2", {}, "Before you trust it"),
    h("ul", {}, list.map(({ message }) => h("li", {}, message))),
  );
}

function face(track, summary, span) {
  const labels = Object.entries(track.share).filter(([, share]) => share >= LEAST).sort((a, b) => b[1] - a[1]);
  const facts = [`${clock(track.from)} to ${clock(track.to)}`, `${plural(track.frames, "frame")}`];
  if (track.uncertain_share) facts.push(`${ratio(track.uncertain_share)} of them uncertain`);
  return h(
    "section",
    { class: "report__face", "aria-label": `Face ${track.track}` },
    h("h2", {}, summary.tracks.length > 1 ? `Face ${track.track}` : "Expressions"),
    h("p", { class: "report__facts" }, facts.join(", ")),
    h("div", { class: "report__strip" }, strip(track, summary, span), axis(span)),
    h("ul", { class: "report__shares" }, labels.map(([label, share]) => shareRow(label, share))),
    track.action_units ? sessionUnits(track.action_units) : "",
    changes(track, summary.changes),
  );
}

function shareRow(label, share) {
  const swatch = h("span", { class: "report__swatch", "aria-hidden": "true" });
  const fill = h("span", { class: "bar__fill" });
  swatch.style.background = fill.style.background = colour(label) || "var(--control)";
  fill.style.transform = `translateX(${(share - 1) * 100}%)`;
  return h(
    "li",
    { class: "bar" },
    swatch,
    h("span", {}, `${capital(label)} `, glyph(emoji(label))),
    h("span", { class: "bar__track", "aria-hidden": "true" }, fill),
    h("span", { class: "bar__value" }, ratio(share)),
  );
}

const place = (t, span) => ((t - span.from) / span.length) * WIDTH;

const top = (probabilities) => Object.entries(probabilities).reduce((best, entry) => (entry[1] > best[1] ? entry : best))[0];

/** The most probable label over the whole session, as colours. */
function strip(track, { series }, span) {
  const points = series.filter((point) => point.track === track.track);
  const step = points.length > 1 ? (points.at(-1).t - points[0].t) / (points.length - 1) : span.length;
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${STRIP}`, preserveAspectRatio: "none", role: "img", "aria-label": spoken(track) });
  drawing.append(svg("rect", { class: "report__empty", width: WIDTH, height: STRIP }));
  for (const { from, to, label } of stretches(points, step)) {
    const [left, right] = [place(from, span), Math.min(place(to, span), WIDTH)];
    const mark = svg("rect", { x: left.toFixed(2), width: Math.max(right - left, 1).toFixed(2), height: STRIP });
    mark.style.fill = colour(label) || "var(--control)";
    drawing.append(mark);
  }
  return drawing;
}

/** Neighbours of the same label as one. Each point lasts until the next, unless the face was away in between. */
function stretches(points, step) {
  const found = [];
  points.forEach((point, index) => {
    const label = top(point.probabilities);
    const to = Math.min(points[index + 1]?.t ?? point.t + step, point.t + Math.max(3 * step, 1));
    const before = found.at(-1);
    if (before?.label === label && before.to === point.t) before.to = to;
    else found.push({ from: point.t, to, label });
  });
  return found;
}

function spoken({ share }) {
  const shares = Object.entries(share).filter(([, value]) => value >= LEAST).sort((a, b) => b[1] - a[1]);
  return `Over the whole session: ${shares.map(([label, value]) => `${label} ${ratio(value)}`).join(", ")}`;
}

const axis = (span) => h("p", { class: "report__axis", "aria-hidden": "true" }, h("span", {}, clock(span.from)), h("span", {}, clock(span.from + span.length)));

/** The changes that held for a while; the shortest are noise. */
function changes({ track, to }, all) {
  const own = all.filter((change) => change.track === track);
  const held = [];
  own.forEach((change, index) => {
    const from = held.at(-1)?.to ?? own[0].from;
    if ((own[index + 1]?.t ?? to) - change.t >= HELD_S && change.to !== from) held.push({ ...change, from });
  });
  if (!held.length) return h("p", { class: "report__facts" }, "No change of expression that lasted.");
  const lines = held.map((change) => h("li", {}, h("span", { class: "report__time" }, clock(change.t)), ` ${capital(change.from)} → ${change.to}`));
  const more = lines.splice(MOST_CHANGES);
  return h(
    "div",
    { class: "report__changes" },
    h("h3", {}, "Changes"),
    h("ul", {}, lines),
    more.length ? h("details", {}, h("summary", {}, `${plural(more.length, "more change")}`), h("ul", {}, more)) : "",
  );
}

const points = (share) => `${Math.round(share * 100)}`;

function practice(profile, span) {
  const level = profile.mean_confidence === null ? "No face was seen." : `On average ${points(profile.mean_confidence)} of 100.`;
  return h(
    "section",
    { class: "report__practice", "aria-label": "Interview practice" },
    h("h2", {}, "Interview practice"),
    h("p", { class: "report__facts" }, level),
    profile.frames.length ? h("div", { class: "report__strip" }, curve(profile, span), axis(span)) : "",
    segments(profile.segments),
    profile.stability ? h("p", {}, stability(profile.stability)) : "",
    profile.spikes.length ? drops(profile.spikes) : h("p", {}, "No sudden drops."),
    profile.improvement_areas.length
      ? h("div", {}, h("h3", {}, "What to practise"), h("ul", { class: "report__list" }, profile.improvement_areas.map(({ message }) => h("li", {}, message))))
      : "",
    h("p", { class: "report__notice" }, profile.notice),
  );
}

/** The smoothed confidence over time, with the bounds of the levels. */
function curve({ frames, spikes }, span) {
  const height = (value) => (CURVE * (1 - value)).toFixed(1);
  const line = frames.map((frame) => `${place(frame.t, span).toFixed(1)},${height(frame.smoothed_confidence)}`).join(" ");
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${CURVE}`, preserveAspectRatio: "none", role: "img", "aria-label": "How confident you looked over time" });
  for (const bound of LEVEL_BOUNDS) drawing.append(svg("line", { class: "report__bound", x1: 0, x2: WIDTH, y1: height(bound), y2: height(bound) }));
  for (const { t } of spikes) drawing.append(svg("line", { class: "report__drop", x1: place(t, span).toFixed(1), x2: place(t, span).toFixed(1), y1: 0, y2: CURVE }));
  drawing.append(svg("polyline", { class: "report__curve", points: line }));
  return drawing;
}

function segments(parts) {
  const rows = Object.entries(parts).filter(([, part]) => part.mean_confidence !== null);
  if (!rows.length) return "";
  return h(
    "table",
    { class: "report__segments" },
    h("thead", {}, h("tr", {}, ["Part", "Confidence", "Mostly", "Drops"].map((name) => h("th", { scope: "col" }, name)))),
    h(
      "tbody",
      {},
      rows.map(([name, part]) =>
        h("tr", {}, h("th", { scope: "row" }, capital(name)), h("td", {}, points(part.mean_confidence)), h("td", {}, part.dominant), h("td", {}, part.spikes)),
      ),
    ),
  );
}

const TRENDS = { improving: "getting more confident", declining: "getting less confident", steady: "steady" };

const stability = ({ trend, consistency }) => `In the last seconds: ${TRENDS[trend]}, ${consistency >= 0.75 ? "even" : consistency >= 0.5 ? "fairly even" : "uneven"}.`;

function drops(spikes) {
  const lines = spikes.slice(0, MOST_CHANGES).map(({ t, magnitude }) =>
    h("li", {}, h("span", { class: "report__time" }, clock(t)), ` You suddenly looked less confident, by ${points(magnitude)} points.`),
  );
  const more = spikes.length - lines.length;
  return h("div", {}, h("h3", {}, "Sudden drops"), h("ul", { class: "report__list" }, lines), more > 0 ? h("p", {}, `And ${more} more.`) : "");
}
