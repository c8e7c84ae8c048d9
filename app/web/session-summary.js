/** Adds up a session that was read on this device, with the fields and the rules of `POST /analyze/session`. */

/** The longest time that a frame counts, in seconds. */
const LONGEST_STEP = 1;
const [MOST_CHANGES, MOST_POINTS] = [1000, 600];
const FEW_FRAMES = 30;
const OFTEN = 0.3;
const LONG_GAP = 2;

const rounded = (value, digits = 3) => Number(value.toFixed(digits));
const top = (values) => values.indexOf(Math.max(...values));
const share = (part, whole) => `${Math.round((100 * part) / whole)} %`;

/** The summary of `frames`, each with its time `t` and its `faces`, and of what `skipped` and `failed` beside them. */
export function summarise(frames, labels, { skipped = 0, failed = 0 } = {}) {
  const times = frames.map(({ t }) => t);
  const tracks = tracksOf(frames, labels);
  const changes = changesOf(frames, labels);
  const without = frames.filter(({ faces }) => !faces.length).length;
  return {
    success: true,
    type: "summary",
    reason: "end",
    duration: rounded((times.at(-1) ?? 0) - (times[0] ?? 0)),
    frames: { received: frames.length + skipped + failed, read: frames.length, failed, skipped: skipped ? { busy: skipped } : {}, without_face: without },
    tracks,
    changes: changes.slice(0, MOST_CHANGES),
    series: seriesOf(frames, labels),
    caveats: [...caveatsOfFrames(frames.length, without, failed), ...caveatsOfTracks(tracks), ...caveatsOfChanges(changes)],
    profile: null,
  };
}

function tracksOf(frames, labels) {
  const tracks = new Map();
  let step = 0;
  frames.forEach(({ t, faces }, index) => {
    // The last frame counts as long as the one before it.
    if (index + 1 < frames.length) step = Math.min(frames[index + 1].t - t, LONGEST_STEP);
    for (const face of faces) {
      const track = tracks.get(face.track) ?? begun(face.track, t, labels.length);
      tracks.set(face.track, track);
      add(track, t, step, face, labels);
    }
  });
  return [...tracks.values()].sort((a, b) => a.track - b.track).map((track) => shown(track, labels));
}

const begun = (track, from, labels) => ({ track, from, to: from, frames: 0, gap: 0, uncertain: 0, warnings: {}, units: new Map(), seconds: Array(labels).fill(0), counts: Array(labels).fill(0), sums: Array(labels).fill(0) });

function add(track, t, step, face, labels) {
  const values = labels.map((label) => face.probabilities[label]);
  const label = top(values);
  track.gap = Math.max(track.gap, t - track.to);
  track.to = t;
  track.frames += 1;
  track.uncertain += face.is_uncertain;
  track.seconds[label] += step;
  track.counts[label] += 1;
  values.forEach((value, place) => (track.sums[place] += value));
  for (const [code, unit] of Object.entries(face.action_units ?? {})) addUnit(track.units, code, unit);
  for (const { code } of face.warnings) track.warnings[code] = (track.warnings[code] ?? 0) + 1;
}

function addUnit(units, code, { name, intensity, active }) {
  const sums = units.get(code) ?? { name, frames: 0, intensity: 0, active: 0 };
  units.set(code, sums);
  sums.frames += 1;
  sums.intensity += intensity;
  sums.active += active;
}

const meanUnit = ({ name, frames, intensity, active }) => ({ name, mean_intensity: rounded(intensity / frames, 4), active_share: rounded(active / frames, 4) });

function shown(track, labels) {
  const total = track.seconds.reduce((sum, value) => sum + value, 0);
  const named = (values) => Object.fromEntries(labels.map((label, place) => [label, rounded(values[place], 4)]));
  return {
    track: track.track,
    from: rounded(track.from),
    to: rounded(track.to),
    seconds: rounded(total),
    frames: track.frames,
    share: named(total ? track.seconds.map((value) => value / total) : track.counts.map((count) => count / track.frames)),
    mean_probabilities: named(track.sums.map((sum) => sum / track.frames)),
    uncertain_share: rounded(track.uncertain / track.frames, 4),
    warnings: track.warnings,
    largest_gap: rounded(track.gap),
    ...(track.units.size ? { action_units: Object.fromEntries([...track.units].map(([code, sums]) => [code, meanUnit(sums)])) } : {}),
  };
}

function changesOf(frames, labels) {
  const last = new Map();
  const changes = [];
  for (const { t, faces } of frames) {
    for (const { track, probabilities } of faces) {
      const to = labels[top(labels.map((label) => probabilities[label]))];
      const from = last.get(track);
      if (from !== undefined && from !== to) changes.push({ t: rounded(t), track, from, to });
      last.set(track, to);
    }
  }
  return changes;
}

/** Every frame of every track, or means by equal spans of time where they would be more than the points of a summary. */
function seriesOf(frames, labels) {
  const rows = frames.flatMap(({ t, faces }) => faces.map((face) => ({ t, track: face.track, values: labels.map((label) => face.probabilities[label]) })));
  const tracks = new Set(rows.map(({ track }) => track)).size;
  const spans = Math.max(1, Math.floor(MOST_POINTS / tracks));
  const [first, length] = [rows[0]?.t ?? 0, (rows.at(-1)?.t ?? 0) - (rows[0]?.t ?? 0) || 1];
  const points = new Map();
  rows.forEach(({ t, track, values }, index) => {
    const span = rows.length <= MOST_POINTS ? index : Math.min(spans - 1, Math.floor(((t - first) / length) * spans));
    const point = points.get(`${span} ${track}`) ?? { count: 0, t: 0, track, values: values.map(() => 0) };
    points.set(`${span} ${track}`, point);
    point.count += 1;
    point.t += t;
    values.forEach((value, place) => (point.values[place] += value));
  });
  return [...points.values()].map(({ count, t, track, values }) => ({
    t: rounded(t / count),
    track,
    probabilities: Object.fromEntries(labels.map((label, place) => [label, rounded(values[place] / count, 4)])),
  }));
}

const caveat = (code, message) => ({ code, message });

function* caveatsOfFrames(read, without, failed) {
  if (read < FEW_FRAMES) yield caveat("few_frames", `Only ${read} frames were read. Shares and means of so few say little.`);
  if (read && without === read) yield caveat("no_faces", "No frame shows a face.");
  else if (without > OFTEN * read) yield caveat("face_missing", `${share(without, read)} of the frames show no face.`);
  if (failed) yield caveat("frames_failed", `${failed} frames could not be read.`);
}

function* caveatsOfTracks(tracks) {
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const faces = sum(tracks.map(({ frames }) => frames));
  const uncertain = Math.round(sum(tracks.map(({ frames, uncertain_share: part }) => frames * part)));
  if (uncertain > OFTEN * faces) yield caveat("often_uncertain", `${share(uncertain, faces)} of the predictions are uncertain.`);
  // Several faces are no fault of the picture.
  const codes = new Set(tracks.flatMap(({ warnings }) => Object.keys(warnings)).filter((code) => code !== "multiple_faces"));
  const frequent = [...codes].sort().filter((code) => sum(tracks.map(({ warnings }) => warnings[code] ?? 0)) > OFTEN * faces);
  if (frequent.length) yield caveat("picture_quality", `Many frames have a warning of their quality: ${frequent.join(", ").replaceAll("_", " ")}.`);
  const gap = Math.max(0, ...tracks.map(({ largest_gap: longest }) => longest));
  if (gap > LONG_GAP) yield caveat("gaps", `A face was not seen for ${gap.toFixed(1)} s between two of its frames.`);
}

function* caveatsOfChanges({ length }) {
  if (length > MOST_CHANGES) yield caveat("changes_left_out", `There were ${length} changes; the first ${MOST_CHANGES} are listed.`);
}
