/** The request that the page sent as a curl command, and its result as JSON. */

import { address, hasKey } from "./api.js";

const quoted = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** A file name as curl's `-F` takes it: in double quotes if it has characters that end the name. */
function formFile(name) {
  return /[;,"\\]/.test(name) ? `"${name.replace(/["\\]/g, String.raw`\$&`)}"` : name;
}

export function asCurl(path, query, name) {
  const header = hasKey() ? ' -H "X-API-Key: $VISAGE_API_KEY"' : "";
  return `curl${header} -F ${quoted(`file=@${formFile(name)}`)} \\\n  ${quoted(address(path, query).href)}`;
}

/** Indented JSON, with lists of plain values on one line. */
export function asJson(response) {
  return JSON.stringify(response, null, 2).replace(
    /\[\n\s+([^[\]{}]+?)\n\s+\]/g,
    (_, inner) => `[${inner.replace(/\s*\n\s*/g, " ")}]`,
  );
}
