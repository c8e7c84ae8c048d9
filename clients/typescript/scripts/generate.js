// Writes the types of the service's documents into src/. With --check it only says whether they are up to date.
import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";

const DOCS = new URL("../../../docs/", import.meta.url);
const SRC = new URL("../src/", import.meta.url);

const openapi = JSON.parse(await readFile(new URL("openapi.json", DOCS), "utf8"));
const asyncapi = JSON.parse(await readFile(new URL("asyncapi.json", DOCS), "utf8"));
// openapi-typescript knows schemas in an OpenAPI document only. The query has defaults, so nothing in it is required.
const schemas = { ...asyncapi.components.schemas, StreamQuery: asyncapi.channels.stream.bindings.ws.query };
const messages = { openapi: "3.1.0", info: asyncapi.info, paths: {}, components: { schemas } };

await write("openapi", openapi, {});
await write("asyncapi", messages, { defaultNonNullable: false });

async function write(name, document, options) {
  const target = new URL(`${name}.ts`, SRC);
  const types = `// Made from docs/${name}.json by \`npm run generate\`.\n${astToString(await openapiTS(document, options))}`;
  if (!process.argv.includes("--check")) {
    await writeFile(target, types);
  } else if ((await readFile(target, "utf8")) !== types) {
    console.error(`src/${name}.ts does not match docs/${name}.json: run npm run generate.`);
    process.exitCode = 1;
  }
}
