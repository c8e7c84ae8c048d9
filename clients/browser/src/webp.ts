/** WebP files with an EXIF orientation: some browsers turn the picture by it, and Chromium does not. */

const EXIF_FLAG = 8;
const ORIENTATION = 0x0112;
const SHORT = 3;

export interface Unturned {
  /** A file that every browser decodes as it is stored. */
  readonly file: Blob;
  /** The EXIF orientation by which the caller has to turn it, 1 to 8. */
  readonly orientation: number;
}

/** A WebP without its orientation, and that orientation. Other files stay as they are, with 1. */
export async function unturned(file: Blob): Promise<Unturned> {
  try {
    const head = new DataView(await file.slice(0, 21).arrayBuffer());
    const extended = name(head, 0) === "RIFF" && name(head, 8) === "WEBP" && name(head, 12) === "VP8X";
    if (!extended || !(head.getUint8(20) & EXIF_FLAG)) return { file, orientation: 1 };
    const data = await file.arrayBuffer();
    const chunks = new DataView(data);
    let at = 12;
    while (name(chunks, at) !== "EXIF") {
      const length = chunks.getUint32(at + 4, true);
      at += 8 + length + (length % 2);
    }
    const orientation = takeOrientation(new DataView(data, at + 8));
    return { file: orientation === 1 ? file : new Blob([data], { type: file.type }), orientation };
  } catch {
    // It is damaged, or has no such chunk.
    return { file, orientation: 1 };
  }
}

/** The orientation in an EXIF block, where 1 takes its place. */
function takeOrientation(chunk: DataView): number {
  const exif = name(chunk, 0) === "Exif" ? new DataView(chunk.buffer, chunk.byteOffset + 6) : chunk;
  const little = name(exif, 0) === "II*\0";
  if (!little && name(exif, 0) !== "MM\0*") return 1;
  const entries = exif.getUint32(4, little);
  for (let entry = 0; entry < exif.getUint16(entries, little); entry++) {
    const at = entries + 2 + 12 * entry;
    if (exif.getUint16(at, little) !== ORIENTATION) continue;
    const value = exif.getUint16(at + 8, little);
    if (exif.getUint16(at + 2, little) !== SHORT || value < 1 || value > 8) return 1;
    exif.setUint16(at + 8, 1, little);
    return value;
  }
  return 1;
}

function name(data: DataView, at: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => data.getUint8(at + i)));
}
