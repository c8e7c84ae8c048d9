/** The view for developers: the request of the last photo in three languages, and its result as it came. */

import { $, copy, h } from "./dom.js";
import { photo } from "./one-photo.js";
import { asCurl, asJson, asPython, asTypeScript } from "./request-snippets.js";

const LANGUAGES = [
  ["curl", "curl", "In a terminal.", asCurl],
  ["typescript", "TypeScript", "Node 20 or later. In a browser, take the file from an input.", asTypeScript],
  ["python", "Python", "With httpx: pip install httpx.", asPython],
];

const SAMPLE = { query: { faces: "all" }, name: "happy_sample.jpg", result: null };

class Developers {
  enter() {
    const { query, name, result } = photo.last ?? SAMPLE;
    $("code-lead").textContent = result
      ? `The request that read ${name}, to use elsewhere, and its result as it came.`
      : "The request for a sample, to use elsewhere. Read a photo first, and its own request and result stand here.";
    $("code-requests").replaceChildren(
      ...LANGUAGES.map(([id, title, hint, write]) => snippet(id, title, hint, write("predict", query, name))),
      h("p", { class: "code__links" }, h("a", { href: "docs" }, "Every route, parameter and error, to try out"), h("a", { href: "openapi.json" }, "OpenAPI as JSON")),
    );
    $("code-result").replaceChildren(
      result
        ? snippet("json", "Result, JSON", `${name}, status 200.`, asJson(result), "snippet__tall")
        : h("p", { class: "small-print" }, "No photo has been read yet."),
    );
  }
}

function snippet(id, title, hint, text, kind) {
  const button = h("button", { class: "button button--small", type: "button", "aria-label": `Copy: ${title}`, data: { copy: `code-${id}` } }, "Copy");
  button.addEventListener("click", () => copy(text, button));
  return h(
    "section",
    { class: "snippet" },
    h("div", { class: "snippet__head" }, h("h2", {}, title), button),
    h("p", { class: "small-print" }, hint),
    h("pre", { tabindex: "0", class: kind, "aria-label": title }, h("code", { id: `code-${id}` }, text)),
  );
}

export const developers = new Developers();
