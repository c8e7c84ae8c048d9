/** The files of a drop, with those of its folders. */

const LIKELY = /\.(jpe?g|png|webp|bmp|heic|heif|avif|gif|tiff?)$/i;

/** Whether a file of a folder is sent. A file that was chosen by itself is always sent. */
export const isPicture = (file) => file.type.startsWith("image/") || LIKELY.test(file.name);

export async function filesOf(transfer) {
  // The browser clears the entries after the event, so they are read before the first await.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const plain = [...transfer.files];
  if (!entries.some((entry) => entry.isDirectory)) return plain;
  const lists = await Promise.all(entries.map(walk));
  return lists.flat();
}

async function walk(entry) {
  if (entry.isFile) {
    const file = await new Promise((done) => entry.file(done, () => done(null)));
    return file && isPicture(file) ? [file] : [];
  }
  const reader = entry.createReader();
  const found = [];
  // A reader returns at most a hundred entries at a time, and an empty list at the end.
  for (;;) {
    const some = await new Promise((done) => reader.readEntries(done, () => done([])));
    if (!some.length) break;
    found.push(...(await Promise.all(some.map(walk))).flat());
  }
  return found;
}
