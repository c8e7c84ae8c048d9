/** Results as CSV and JSON. The columns of the CSV are those of `POST /predict/batch` with `Accept: text/csv`. */

/** Beginnings that a spreadsheet takes for a formula, in full width too. */
const FORMULA = /^ *[=+\-@\t\r＝＋－＠]/;

function cell(value) {
  const text = value === null || value === undefined ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The results with the place and the name of their file: one index a file, whatever request it was sent in. */
const records = (items) =>
  items
    .map(({ name, state, result }, index) => (state === "done" || state === "failed" ? { ...result, index, filename: name } : null))
    .filter(Boolean);

export function asCsv(items) {
  const labels = [...new Set(items.flatMap(({ result }) => Object.keys(result?.probabilities ?? {})))];
  const head = [
    ...["index", "filename", "success", "emotion", "confidence", "is_uncertain"],
    ...labels.map((label) => `p_${label}`),
    ...["faces_detected", "x", "y", "width", "height", "warnings", "error", "message"],
  ];
  const rows = records(items).map((record) => {
    const { x, y, width, height } = record.face?.box ?? {};
    return [
      record.index,
      record.filename,
      record.success,
      record.emotion,
      record.confidence,
      record.is_uncertain,
      ...labels.map((label) => record.probabilities?.[label]),
      record.faces_detected,
      ...[x, y, width, height],
      record.warnings?.map(({ code }) => code).join(" "),
      record.error,
      record.message,
    ];
  });
  // The mark by which Excel knows UTF-8.
  return `\ufeff${asTable([head, ...rows])}`;
}

/** Rows as CSV. No text in it begins like a formula. */
export const asTable = (rows) => rows.map((row) => row.map((value) => cell(typeof value === "string" && FORMULA.test(value) ? `'${value}` : value)).join(",")).join("\r\n") + "\r\n";

export const asRecords = (items) => JSON.stringify(records(items), null, 2);
