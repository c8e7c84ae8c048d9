/** The very request that the page sent, in forms that can be pasted elsewhere. */

import { address, hasKey } from "./api.js";

const quoted = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** A name as curl's `-F` takes it: in double quotes where it would otherwise end early. */
function formFile(name) {
  return /[;,"\\]/.test(name) ? `"${name.replace(/["\\]/g, String.raw`\$&`)}"` : name;
}

export function asCurl(path, query, name) {
  const header = hasKey() ? ' -H "X-API-Key: $VISAGE_API_KEY"' : "";
  return `curl${header} -F ${quoted(`file=@${formFile(name)}`)} \\\n  ${quoted(address(path, query).href)}`;
}

/** JSON for people: lists of plain values stay on one line. */
export function asJson(answer) {
  return JSON.stringify(answer, null, 2).replace(
    /\[\n\s+([^[\]{}]+?)\n\s+\]/g,
    (_, inner) => `[${inner.replace(/\s*\n\s*/g, " ")}]`,
  );
}
