// Writes the types of results into src/results.ts, from the service's documents. With --check it only says whether they
// are up to date.
import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";

const DOCS = new URL("../../../docs/", import.meta.url);
const TARGET = new URL("../src/results.ts", import.meta.url);
const SHOWN = ["PredictionResult", "FramePrediction"];

const openapi = await read("openapi");
const asyncapi = await read("asyncapi");
const all = { ...asyncapi.components.schemas, ...openapi.components.schemas };
const document = { openapi: "3.1.0", info: openapi.info, paths: {}, components: { schemas: needed(SHOWN) } };
const types = astToString(await openapiTS(document, { defaultNonNullable: false }));
const text = `// Made from docs/openapi.json and docs/asyncapi.json by \`npm run generate\`.\n${types}`;
if (!process.argv.includes("--check")) {
  await writeFile(TARGET, text);
} else if ((await readFile(TARGET, "utf8")) !== text) {
  console.error("src/results.ts does not match the documents in docs/: run npm run generate.");
  process.exitCode = 1;
}

async function read(name) {
  return JSON.parse(await readFile(new URL(`${name}.json`, DOCS), "utf8"));
}

/** The schemas of these names, and all that they refer to. */
function needed(names, found = {}) {
  for (const name of names) {
    if (name in found) continue;
    found[name] = all[name];
    const references = [...JSON.stringify(all[name]).matchAll(/"#\/components\/schemas\/([^"]+)"/g)];
    needed(
      references.map((match) => match[1]),
      found,
    );
  }
  return found;
}
