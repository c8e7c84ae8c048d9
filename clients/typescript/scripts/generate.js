// Writes the types of the service's documents into the packages. With --check it only says whether they are up to date.
import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";

const CLIENTS = new URL("../../", import.meta.url);
const DOCS = new URL("../docs/", CLIENTS);

const openapi = await read("openapi");
const asyncapi = await read("asyncapi");
// openapi-typescript knows schemas in an OpenAPI document only.
const document = (schemas) => ({ openapi: "3.1.0", info: asyncapi.info, paths: {}, components: { schemas } });
// The query has defaults, so nothing in it is required.
const stream = { ...asyncapi.components.schemas, StreamQuery: asyncapi.channels.stream.bindings.ws.query };
// What the engine in the browser gives.
const all = { ...asyncapi.components.schemas, ...openapi.components.schemas };
const results = needed(["PredictionResult", "FramePrediction"]);

await write("typescript/src/openapi.ts", openapi, {});
await write("typescript/src/asyncapi.ts", document(stream), { defaultNonNullable: false });
await write("browser/src/results.ts", document(results), { defaultNonNullable: false });

async function read(name) {
  return JSON.parse(await readFile(new URL(`${name}.json`, DOCS), "utf8"));
}

/** The schemas of these names, and all that they refer to. */
function needed(names, found = {}) {
  for (const name of names) {
    if (name in found) continue;
    found[name] = all[name];
    const references = JSON.stringify(all[name]).matchAll(/"#\/components\/schemas\/([^"]+)"/g);
    needed(
      Array.from(references, (match) => match[1]),
      found,
    );
  }
  return found;
}

async function write(path, contents, options) {
  const target = new URL(path, CLIENTS);
  const head = "// Made from the service's documents in docs/ by `npm run generate` in clients/typescript.\n";
  const types = head + astToString(await openapiTS(contents, options));
  if (!process.argv.includes("--check")) {
    await writeFile(target, types);
  } else if ((await readFile(target, "utf8")) !== types) {
    console.error(`clients/${path} does not match the documents in docs/: run npm run generate in clients/typescript.`);
    process.exitCode = 1;
  }
}
