/** The request that the page sent, to use elsewhere: as a curl command, in TypeScript and in Python. */

import { address, hasKey } from "./api.js";

/** The address, with commas as people write them: they need no escape in a query. */
const written = (path, query) => address(path, query).href.replaceAll("%2C", ",");

const quoted = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** A file name as curl's `-F` takes it: in double quotes if it has characters that end the name. */
function formFile(name) {
  return /[;,"\\]/.test(name) ? `"${name.replace(/["\\]/g, String.raw`\$&`)}"` : name;
}

export function asCurl(path, query, name) {
  const header = hasKey() ? ' -H "X-API-Key: $VISAGE_API_KEY"' : "";
  return `curl${header} -F ${quoted(`file=@${formFile(name)}`)} \\\n  ${quoted(written(path, query))}`;
}

/** For Node 20 and later. In a browser the file comes from an input, and `openAsBlob` goes. */
export function asTypeScript(path, query, name) {
  const headers = hasKey() ? '\n  headers: { "X-API-Key": process.env.VISAGE_API_KEY ?? "" },' : "";
  return `import { openAsBlob } from "node:fs";

type Face = { emotion: string; confidence: number; is_uncertain: boolean; warnings: { code: string; message: string }[] };
type Result = { success: true; faces: Face[] } | { success: false; error: string; message: string };

const form = new FormData();
form.append("file", await openAsBlob(${JSON.stringify(name)}), ${JSON.stringify(name)});
const response = await fetch(${JSON.stringify(written(path, query))}, {
  method: "POST",
  body: form,${headers}
});
const result = (await response.json()) as Result;
if (!result.success) throw new Error(\`\${result.error}: \${result.message}\`);
for (const { emotion, confidence, is_uncertain } of result.faces) {
  console.log(emotion, confidence, is_uncertain ? "uncertain" : "");
}
`;
}

/** A string as Python writes it. JSON's escapes are Python's too. */
const python = JSON.stringify;

export function asPython(path, query, name) {
  const headers = hasKey() ? '\n        headers={"X-API-Key": os.environ["VISAGE_API_KEY"]},' : "";
  return `${hasKey() ? "import os\n\n" : ""}import httpx

with open(${python(name)}, "rb") as picture:
    response = httpx.post(
        ${python(written(path, query))},
        files={"file": picture},${headers}
        timeout=60,
    )
result = response.json()
if not result["success"]:
    raise SystemExit(f"{result['error']}: {result['message']}")
for face in result["faces"]:
    print(face["emotion"], face["confidence"], "uncertain" if face["is_uncertain"] else "")
`;
}

/** Indented JSON, with lists of plain values on one line. */
export function asJson(response) {
  return JSON.stringify(response, null, 2).replace(
    /\[\n\s+([^[\]{}]+?)\n\s+\]/g,
    (_, inner) => `[${inner.replace(/\s*\n\s*/g, " ")}]`,
  );
}
