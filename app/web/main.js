/** The page's frame: which view is shown, and what reaches it from outside (drops, pastes, links). */

import { $ } from "./dom.js";
import { photo } from "./photo.js";
import { service } from "./service.js";

const TITLES = { photo: "One photo", many: "Many photos", live: "Live", totals: "Totals", about: "About" };

/** Views other than the first come when they are asked for. Each has `enter`, `leave` and maybe `take(files)`. */
const LOADERS = {
  photo: async () => photo,
  many: async () => (await import("./many.js")).many,
  live: async () => (await import("./live.js")).live,
  totals: async () => (await import("./totals.js")).totals,
  about: async () => (await import("./about.js")).about,
};

const IDLE_MS = 1500;

let current = "";
let view = null;

const wanted = () => {
  const name = location.hash.slice(1);
  return name in LOADERS ? name : "photo";
};

async function show(name, { focus }) {
  if (name === current) return;
  current = name;
  const loaded = await LOADERS[name]();
  if (current !== name) return;
  view?.leave?.();
  view = loaded;
  for (const key of Object.keys(LOADERS)) $(`view-${key}`).hidden = key !== name;
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${TITLES[name]} · Visage`;
  window.scrollTo(0, 0);
  view.enter?.();
  if (focus) heading(name)?.focus({ preventScroll: true });
}

const heading = (name) => [...$(`view-${name}`).querySelectorAll("h1")].find((title) => title.offsetParent);

/** A picture from anywhere on the page goes to the view that can use it. */
async function take(items) {
  if (current !== "many" && items.length > 1) {
    location.hash = "many";
    await show("many", { focus: false });
  } else if (!view?.take) {
    location.hash = "photo";
    await show("photo", { focus: false });
  }
  view?.take(items);
}

/** Opens a file of another view in the first one. */
export async function openPhoto(file) {
  location.hash = "photo";
  await show("photo", { focus: false });
  photo.take([file]);
}

function listenForDrops() {
  let depth = 0;
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  const veil = (on) => ($("dropveil").hidden = !on);
  window.addEventListener("dragenter", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth += 1;
    veil(true);
  });
  window.addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    if (depth === 0) veil(false);
  });
  window.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
  window.addEventListener("drop", async (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth = 0;
    veil(false);
    const { filesOf } = await import("./folder.js");
    const files = await filesOf(event.dataTransfer);
    if (files.length) take(files);
  });
  window.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    take(files);
  });
}

window.addEventListener("hashchange", () => {
  if (location.hash !== "#main") show(wanted(), { focus: true });
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  $("main").focus();
});
listenForDrops();
photo.start();
service.start();
show(wanted(), { focus: false });
// The other views are fetched while nobody waits for them.
window.addEventListener("load", () => setTimeout(() => Object.values(LOADERS).forEach((load) => load()), IDLE_MS));
