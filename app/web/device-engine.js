/** The engine behind `device`: its switches, its files, and what is kept of it for use without a network. */

import { address, CallError, ROOT } from "./api.js";
import { announce, h } from "./dom.js";
import { megabytes } from "./format.js";
import { service } from "./service.js";

const CHOICE = "visage-on-device";
/** The engine is fetched in advance, once the page is idle. */
const FETCH_AFTER_MS = 4000;
const CACHES = "visage-";

export class DeviceEngine {
  #device;
  #files = null;
  #engine = null;
  #state = "";

  constructor(device) {
    this.#device = device;
  }

  /** Offers the switch if the engine's files are there. */
  async start() {
    this.#files = await described();
    if (!this.#files?.folder) return forget();
    for (const place of document.querySelectorAll("[data-device]")) this.#offer(place);
    this.#show("");
    if (stored() === "on") await this.turn(true);
    // A browser may have no room, or a window that keeps nothing.
    await this.#keep().catch(() => {});
  }

  async predict(picture, options, signal) {
    const engine = await this.load();
    try {
      return await engine.predict(picture, { ...options, signal });
    } catch (error) {
      throw signal?.aborted ? new CallError("aborted") : failure(error);
    }
  }

  load() {
    this.#engine ??= this.#create().catch((error) => {
      this.#engine = null;
      this.#show("The engine could not be loaded");
      throw failure(error);
    });
    return this.#engine;
  }

  failure = failure;

  async #create() {
    this.#show("Loading the engine");
    const { createEngine } = await import(address(`web/${this.#files.folder}index.js`));
    const engine = await createEngine({ modelsUrl: address(`web/${this.#files.folder}models/`) });
    this.#show("Ready");
    return engine;
  }

  #offer(place) {
    const note = `${place.id}-note`;
    const box = h("input", { type: "checkbox", role: "switch", "aria-describedby": note, onchange: () => this.turn(box.checked) });
    place.replaceChildren(h("label", { class: "device__switch" }, box, " On this device"), h("p", { class: "device__note", id: note }));
    place.hidden = false;
  }

  /** Switches for every view. */
  async turn(on) {
    this.#device.on = on;
    store(on ? "on" : "off");
    service.pause(on);
    document.documentElement.toggleAttribute("data-on-device", on);
    this.#show(this.#state);
    announce(on ? "Pictures are read on this device. What leaves it: nothing." : "Pictures are sent to the service.");
    this.#device.dispatchEvent(new Event("change"));
    if (on) await this.load().catch(() => {});
  }

  #show(state) {
    this.#state = state;
    const note = this.#device.on
      ? ["What leaves this device: ", h("strong", {}, "nothing"), `. ${state ? `${state}.` : ""}`]
      : [`Reads pictures in this browser, also without a network. ${megabytes(this.#files.bytes)} are loaded once.`];
    for (const place of document.querySelectorAll("[data-device]")) {
      place.querySelector("input").checked = this.#device.on;
      place.lastChild.replaceChildren(...note.map((part) => (typeof part === "string" ? part : part.cloneNode(true))));
    }
  }

  /** Keeps the page and the engine for later visits without a network, unless the person saves data. */
  async #keep() {
    if (!("serviceWorker" in navigator)) return;
    await navigator.serviceWorker.register(address("service-worker.js"), { scope: ROOT.pathname });
    await navigator.serviceWorker.ready;
    if (navigator.connection?.saveData) return;
    await new Promise((done) => setTimeout(done, FETCH_AFTER_MS));
    const { folder, files } = this.#files;
    const cache = await caches.open(`${CACHES}engine-web/${folder}`);
    for (const file of files) {
      const place = address(`web/${folder}${file}`);
      if (!(await cache.match(place, { ignoreVary: true }))) await cache.add(place);
    }
    document.documentElement.toggleAttribute("data-offline-ready", true);
  }
}

const described = () => fetch(address("web/engine.json")).then((response) => response.json(), () => null);

/** A service without the engine takes back what an earlier one has left in this browser. */
async function forget() {
  const registered = await navigator.serviceWorker?.getRegistration(ROOT.pathname);
  if (!registered) return;
  await registered.unregister();
  for (const name of await caches.keys()) if (name.startsWith(CACHES)) await caches.delete(name);
}

/** Codes of the engine that mean something else in the service, or the same to a person. */
const CODES = {
  model_not_found: "model_file_missing",
  model_rejected: "engine_failed",
  worker_failed: "engine_failed",
  engine_closed: "engine_failed",
  internal_error: "engine_failed",
};

function failure(error) {
  if (error instanceof CallError) return error;
  // Without a code, the module of the engine itself did not come.
  const code = CODES[error.code] ?? error.code ?? "model_file_unreachable";
  return new CallError(code, { message: error.message });
}

/** The choice of an earlier visit. A browser may refuse to keep it. */
function stored() {
  try {
    return localStorage.getItem(CHOICE);
  } catch {
    return null;
  }
}

function store(choice) {
  try {
    localStorage.setItem(CHOICE, choice);
  } catch {
    // Then it holds until the page is closed.
  }
}
