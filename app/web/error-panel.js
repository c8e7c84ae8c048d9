/** The panel that shows an error: what happened, what helps, and buttons for the next step. */

import { hasKey, health, useKey } from "./api.js";
import { announce, focusIfLost, h, icon } from "./dom.js";
import { megabytes } from "./format.js";
import { service } from "./service.js";
import { textsFor } from "./texts.js";

const LABELS = {
  again: "Try again",
  another: "Try another photo",
  center: "Read the middle anyway",
  default: "Use the default model",
  reload: "Reload the page",
  service: "Send it to the service instead",
};

const DEFAULT_WAIT = { rate_limited: 10, overloaded: 3, timeout: 3 };
const POLL_MS = 1000;

/**
 * Shows an error in `place` and returns a function that removes it.
 * `actions` maps the names of actions in texts.js to functions; others are not offered, but `another` always is.
 */
export function showError(place, error, { file, ...actions }, { small = false } = {}) {
  const texts = textsFor(error.code === "unauthorized" && hasKey() ? "wrong_key" : error.code);
  const ends = [];
  const title = h(small ? "h2" : "h1", { class: "error__title", tabindex: "-1" }, texts.title);
  const text = explained(error, texts);
  const hints = [...(texts.next ?? []), ...(error.code === "file_too_large" ? [`This service takes up to ${service.limits.fileSize} a photo.`] : [])];
  const next = hints.length ? h("ul", { class: "error__next" }, hints.map((line) => h("li", {}, line))) : null;
  const named = file && texts.aboutFile ? h("p", { class: "error__file" }, h("strong", {}, file.name), ` ${megabytes(file.size)}`) : null;
  const buttons = h("div", { class: "actions" });
  const parts = [title, named, h("p", {}, text), next];
  let main = true;
  for (const name of new Set([...(texts.actions ?? []), "another"])) {
    if (name === "wait" && actions.again) parts.push(countdown(error, actions.again, ends));
    else if (name === "ready" && actions.again) parts.push(waitUntilReady(actions.again, ends));
    else if (name === "online" && actions.again) parts.push(waitForConnection(actions.again, ends));
    else if (name === "key" && actions.again) {
      parts.push(keyForm(actions.again));
      main = false;
    }
    else if (actions[name] || name === "reload") {
      const act = actions[name] ?? (() => location.reload());
      buttons.append(h("button", { type: "button", class: main ? "button button--main" : "button", onclick: act }, LABELS[name]));
      main = false;
    }
  }
  if (buttons.childElementCount) parts.push(buttons);
  if (error.requestId) parts.push(h("p", { class: "small-print" }, `${error.code} · request ${error.requestId}`));
  place.classList.add("error");
  place.classList.toggle("error--small", small);
  place.replaceChildren(...parts.filter(Boolean));
  place.hidden = false;
  focusIfLost(title);
  announce(`${texts.title}. ${text}`);
  return () => {
    ends.forEach((end) => end());
    place.hidden = true;
    place.replaceChildren();
  };
}

/** The service's own sentence where it says more than the page's. */
function explained(error, texts) {
  return texts.asSaid && error.message && error.message !== error.code ? error.message : texts.text;
}

function progress(label) {
  const fill = h("span", { class: "meter__fill" });
  const meter = h("div", { class: "meter", role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100 }, fill);
  const set = (share) => {
    fill.style.transform = `scaleX(${share})`;
    meter.setAttribute("aria-valuenow", Math.round(share * 100));
  };
  set(0);
  return { meter, set };
}

function countdown(error, again, ends) {
  const total = error.retryAfter ?? DEFAULT_WAIT[error.code] ?? 5;
  const until = performance.now() + total * 1000;
  const line = h("p", { class: "countdown" });
  const { meter, set } = progress("Time until the next try");
  const tick = () => {
    const left = Math.max(0, until - performance.now()) / 1000;
    line.textContent = left > 0 ? `Again in ${Math.ceil(left)} s` : "Sending again";
    set(1 - left / total);
    if (left <= 0) {
      clearInterval(timer);
      again();
    }
  };
  const timer = setInterval(tick, 200);
  ends.push(() => clearInterval(timer));
  tick();
  return h("div", {}, line, meter);
}

function waitUntilReady(again, ends) {
  const started = performance.now();
  const line = h("p", { class: "countdown" });
  const { meter, set } = progress("Waking up");
  let over = false;
  const tick = () => {
    const waited = (performance.now() - started) / 1000;
    line.textContent = `Waiting for ${Math.floor(waited)} s`;
    // The time is unknown, so the bar slows down and never fills up.
    set(1 - Math.exp(-waited / 12));
  };
  const poll = async () => {
    try {
      const response = await health();
      if (over) return;
      service.noteHealth(response);
      if (service.state === "ready" || service.state === "cold") {
        over = true;
        return again();
      }
    } catch {
      // Not reachable yet; the next poll tries again.
    }
    if (!over) waiting = setTimeout(poll, POLL_MS);
  };
  const timer = setInterval(tick, 500);
  let waiting = setTimeout(poll, POLL_MS);
  ends.push(() => {
    over = true;
    clearInterval(timer);
    clearTimeout(waiting);
  });
  tick();
  return h("div", {}, line, meter);
}

function waitForConnection(again, ends) {
  window.addEventListener("online", again, { once: true });
  ends.push(() => window.removeEventListener("online", again));
  return h("p", { class: "countdown" }, "Waiting for the connection");
}

function keyForm(again) {
  const input = h("input", { type: "password", id: "api-key", autocomplete: "off", required: true });
  const submit = async (event) => {
    event.preventDefault();
    useKey(input.value);
    await service.loadInfo();
    again();
  };
  return h(
    "form",
    { onsubmit: submit },
    h("label", {}, "API key", input),
    h("button", { class: "button button--main", type: "submit" }, icon("lock"), "Use this key"),
  );
}
