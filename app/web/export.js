/** Results as CSV and JSON. */

const HEAD = ["filename", "success", "emotion", "confidence", "is_uncertain", "faces_detected", "warnings", "error", "message"];

/** A CSV cell that spreadsheets do not run as a formula, quoted where needed. */
function cell(value) {
  let text = value === null || value === undefined ? "" : String(value);
  if (typeof value === "string" && /^[\s]*[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const over = (items) => items.filter((item) => item.state === "done" || item.state === "failed");

export function asCsv(items, labels) {
  const rows = over(items).map(({ name, result }) => [
    name,
    result.success,
    result.emotion,
    result.confidence,
    result.is_uncertain,
    result.faces_detected,
    result.warnings?.map((warning) => warning.code).join(" "),
    result.error,
    result.message,
    ...labels.map((label) => result.probabilities?.[label]),
  ]);
  return [[...HEAD, ...labels], ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

export function asRecords(items) {
  return JSON.stringify(over(items).map(({ name, result }) => ({ ...result, filename: name })), null, 2);
}
