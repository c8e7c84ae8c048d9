/** Which view is shown, and where files that are dropped or pasted go. Imports the views; no view imports it. */

import { $, announce } from "./dom.js";
import { device } from "./on-device.js";
import { photo } from "./one-photo.js";
import { service } from "./service.js";

const TITLES = { photo: "One photo", many: "Many photos", live: "Live", totals: "Totals", code: "For developers", about: "About" };

/**
 * Views other than the first are loaded when they are opened. Each may have `enter(openPhoto)`, `leave()` and
 * `take(files)`.
 */
const LOADERS = {
  photo: async () => photo,
  many: async () => (await import("./many-photos.js")).many,
  live: async () => (await import("./live.js")).live,
  totals: async () => (await import("./totals.js")).totals,
  code: async () => (await import("./developers.js")).developers,
  about: async () => (await import("./about.js")).about,
};

const PRELOAD_AFTER_MS = 1500;

let current = "";
let view = null;

const viewOfAddress = () => {
  const name = location.hash.slice(1);
  return Object.hasOwn(LOADERS, name) ? name : "photo";
};

async function show(name, { focus }) {
  if (name === current) return;
  const before = current;
  current = name;
  const loaded = await LOADERS[name]().catch(() => null);
  if (current !== name) return;
  if (!loaded) {
    // Without a connection the view stays as it was, and the link can be tried again.
    current = before;
    history.replaceState(null, "", `#${before}`);
    announce(`${TITLES[name]} could not be loaded`);
    return before ? undefined : show("photo", { focus });
  }
  view?.leave?.();
  view = loaded;
  for (const key of Object.keys(LOADERS)) $(`view-${key}`).hidden = key !== name;
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${TITLES[name]} · Visage`;
  window.scrollTo(0, 0);
  view.enter?.(openPhoto);
  if (focus) heading(name)?.focus({ preventScroll: true });
}

const heading = (name) => [...$(`view-${name}`).querySelectorAll("h1")].find((title) => title.offsetParent);

/** Files that were dropped or pasted anywhere on the page go to the view that can use them. */
async function take(files) {
  let name = "photo";
  if (files.length !== 1 || current === "many") name = "many";
  else if (files[0].type.startsWith("video/")) name = "live";
  location.hash = name;
  await show(name, { focus: false });
  view.take?.(files);
}

/** Opens a file of another view as one photo. */
async function openPhoto(file) {
  location.hash = "photo";
  await show("photo", { focus: false });
  photo.take([file]);
}

function listenForDrops() {
  let depth = 0;
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  const overlay = (on) => ($("drop-overlay").hidden = !on);
  window.addEventListener("dragenter", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth += 1;
    overlay(true);
  });
  window.addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    if (depth === 0) overlay(false);
  });
  window.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
  window.addEventListener("drop", async (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth = 0;
    overlay(false);
    const { filesOf } = await import("./dropped-files.js");
    const files = await filesOf(event.dataTransfer);
    take(files);
  });
  window.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    take(files);
  });
}

window.addEventListener("hashchange", () => {
  if (location.hash !== "#main") show(viewOfAddress(), { focus: true });
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  $("main").focus();
});
listenForDrops();
photo.start();
service.start();
device.start();
show(viewOfAddress(), { focus: false });
// The other views are loaded in advance, once the first one is shown.
window.addEventListener("load", () => setTimeout(() => Object.values(LOADERS).forEach((load) => load().catch(() => {})), PRELOAD_AFTER_MS));
