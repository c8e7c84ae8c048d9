/** What was dropped, as files: folders are walked through, other things are left out. */

const LIKELY = /\.(jpe?g|png|webp|bmp|heic|heif|avif|gif|tiff?)$/i;

/** Whether a file of a folder is worth sending. A file that somebody picked by itself is always sent. */
export const isPicture = (file) => file.type.startsWith("image/") || LIKELY.test(file.name);

export async function filesOf(transfer) {
  // The entries are only there until the event is over, so they are taken before anything is waited for.
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
  // A reader gives at most a hundred entries at a time, and an empty list at the end.
  for (;;) {
    const some = await new Promise((done) => reader.readEntries(done, () => done([])));
    if (!some.length) break;
    found.push(...(await Promise.all(some.map(walk))).flat());
  }
  return found;
}
