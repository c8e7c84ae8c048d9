import type { BatchItem } from "@visage/client";

type Cell = string | number | boolean | undefined;

/** A beginning that a spreadsheet takes for a formula, in full width too. */
const FORMULA = /^ *[=+\-@\t\r＝＋－＠]/;

/** The results as a table with the columns of `POST /predict/batch` with `Accept: text/csv`: one row each, for the largest face. */
export function asCsv(results: readonly { name: string; item: BatchItem }[], labels: readonly string[]): string {
  const head: Cell[] = [
    ...["index", "filename", "success", "emotion", "confidence", "is_uncertain"],
    ...labels.map((label) => `p_${label}`),
    ...["faces_detected", "x", "y", "width", "height", "warnings", "error", "message"],
  ];
  const rows = results.map(({ name, item }): Cell[] => {
    const start: Cell[] = [item.index, name, item.success];
    if (!item.success) return [...start, ...Array<Cell>(head.length - 5).fill(""), item.error, item.message];
    const { x, y, width, height } = item.face.box;
    return [
      ...[...start, item.emotion, item.confidence, item.is_uncertain],
      ...labels.map((label) => item.probabilities[label]),
      ...[item.faces_detected, x, y, width, height],
      ...[item.warnings.map(({ code }) => code).join(" "), "", ""],
    ];
  });
  return [head, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

function cell(value: Cell): string {
  const text = typeof value === "string" && FORMULA.test(value) ? `'${value}` : String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
