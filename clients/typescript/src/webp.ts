const EXIF_FLAG = 8;
const ORIENTATION = 0x0112;
const SHORT = 3;

/** The EXIF orientation of a WebP, 1 to 8; 1 for other files. Chromium, unlike the service, does not turn a WebP by it. */
export async function webpOrientation(file: Blob): Promise<number> {
  try {
    const head = new DataView(await file.slice(0, 21).arrayBuffer());
    const extended = name(head, 0) === "RIFF" && name(head, 8) === "WEBP" && name(head, 12) === "VP8X";
    if (!extended || !(head.getUint8(20) & EXIF_FLAG)) return 1;
    const data = await file.arrayBuffer();
    const chunks = new DataView(data);
    let at = 12;
    while (name(chunks, at) !== "EXIF") {
      const length = chunks.getUint32(at + 4, true);
      at += 8 + length + (length % 2);
    }
    return orientationOf(new DataView(data, at + 8));
  } catch {
    // It is damaged, or has no such chunk.
    return 1;
  }
}

/** The orientation in an EXIF block. */
function orientationOf(chunk: DataView): number {
  const exif = name(chunk, 0) === "Exif" ? new DataView(chunk.buffer, chunk.byteOffset + 6) : chunk;
  const little = name(exif, 0) === "II*\0";
  if (!little && name(exif, 0) !== "MM\0*") return 1;
  const entries = exif.getUint32(4, little);
  for (let entry = 0; entry < exif.getUint16(entries, little); entry++) {
    const at = entries + 2 + 12 * entry;
    if (exif.getUint16(at, little) !== ORIENTATION) continue;
    const value = exif.getUint16(at + 8, little);
    return exif.getUint16(at + 2, little) === SHORT && value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

function name(data: DataView, at: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => data.getUint8(at + i)));
}
