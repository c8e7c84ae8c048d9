/** Helpers for elements of the page, announcements, the clipboard and downloads. */

export const $ = (id) => document.getElementById(id);

/** Creates an element. `on…` keys are listeners, `data` is the dataset, other keys are attributes. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (key.startsWith("aria-")) element.setAttribute(key, value);
    else if (value === false) continue;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "data") Object.assign(element.dataset, value);
    else if (key === "class") element.className = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Listens to an element by its id. */
export const listen = (id, name, act) => $(id).addEventListener(name, act);

/** A character for the eye alone. */
export const glyph = (text) => h("span", { class: "emoji", "aria-hidden": "true" }, text);

const SVG = "http://www.w3.org/2000/svg";

/** Creates an SVG element, where every key is an attribute. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.flat());
  return element;
}

export const icon = (name) => svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `#i-${name}` }));

/** Tells screen readers what just changed. */
export function announce(text) {
  $("announcements").textContent = text;
}

/** Takes the focus if what had it is gone or hidden. */
export const focusIfLost = (element) => document.activeElement.offsetParent || element.focus({ preventScroll: true });

export async function copy(text, button) {
  const before = (button.dataset.text ??= button.textContent);
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    announce("Copied");
  } catch {
    button.textContent = "Select it and copy";
  }
  setTimeout(() => (button.textContent = before), 1800);
}

/** Downloads a text as a file. */
export function save(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
