// The page: asks this program's three routes, one after the other.

const element = (id) => document.getElementById(id);
const percent = (share) => `${Math.min(99, Math.round(100 * share))} %`;
let latest = 0;
let camera = null;
let stops = 0;

async function ask(path, body) {
  const json = body instanceof FormData ? {} : { "Content-Type": "application/json" };
  let response;
  try {
    response = await fetch(path, { method: "POST", headers: json, body: body instanceof FormData ? body : JSON.stringify(body) });
  } catch {
    throw new Error("The program does not answer.");
  }
  const result = await response.json().catch(() => null);
  if (!response.ok) throw new Error(result?.message ?? `The program answers with status ${response.status}.`);
  return result;
}

// Runs what a click started. Only the latest may write to the page.
async function run(work) {
  latest += 1;
  const mine = latest;
  const current = () => mine === latest;
  element("failure").textContent = "";
  element("emotion").textContent = "";
  element("results").hidden = true;
  document.querySelector("main").setAttribute("aria-busy", "true");
  try {
    await work(current);
  } catch (error) {
    if (current()) element("failure").textContent = error.message;
  } finally {
    if (current()) document.querySelector("main").removeAttribute("aria-busy");
  }
}

function line(text, className) {
  const made = document.createElement("p");
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

async function search(query, current) {
  const found = await ask("query_rag", query);
  const texts = found.reviews.map((review) => review.text);
  const sentiments = texts.length ? (await ask("analyze_sentiment", { texts })).results : [];
  if (!current()) return;
  element("summary").textContent = found.summary;
  element("query-used").textContent = `Searched for: ${found.query}`;
  element("reviews").replaceChildren(...found.reviews.map((review, number) => {
    const item = document.createElement("li");
    const facts = [`similarity ${review.score.toFixed(2)}`, `sentiment ${sentiments[number].label} (${sentiments[number].score.toFixed(2)})`];
    if (review.stars !== null) facts.push(`${review.stars} of 5 stars`);
    if (review.emotion !== null) facts.push(`labelled ${review.emotion}`);
    if (review.synthetic) facts.push("synthetic");
    item.append(line(review.text), line(facts.join(" · "), "small"));
    return item;
  }));
  element("results").hidden = false;
}

function readFace(picture) {
  const preview = element("preview");
  if (preview.src) URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(picture);
  preview.hidden = false;
  return run(async (current) => {
    element("emotion").textContent = "Reading the picture …";
    const form = new FormData();
    form.append("file", picture, "picture");
    let face;
    try {
      face = await ask("predict_emotion", form);
    } catch (error) {
      if (current()) element("emotion").textContent = "";
      throw error;
    }
    if (!current()) return;
    const sure = face.is_uncertain ? "uncertain, most likely " : "";
    element("emotion").textContent = `Apparent expression: ${sure}${face.emotion} (${percent(face.confidence)})`;
    await search({ emotion: face.emotion }, current);
  });
}

const stopTracks = (stream) => stream?.getTracks().forEach((track) => track.stop());

function stopCamera() {
  stops += 1;
  stopTracks(camera);
  camera = null;
  element("camera").hidden = true;
  element("take").hidden = true;
  element("start").hidden = false;
  element("start").disabled = false;
}

// Opens the camera, unless stopCamera is called meanwhile.
async function startCamera() {
  const before = stops;
  const wanted = () => stops === before;
  element("failure").textContent = "";
  element("start").disabled = true;
  try {
    const opened = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
    if (!wanted()) return stopTracks(opened);
    camera = opened;
    const video = element("camera");
    video.srcObject = camera;
    video.hidden = false;
    await video.play();
  } catch {
    if (!wanted()) return;
    stopCamera();
    element("start").focus();
    element("failure").textContent = "The camera cannot be used: allow it in the browser, or choose a picture.";
    return;
  }
  if (!wanted()) return;
  element("start").hidden = true;
  element("take").hidden = false;
  element("take").focus();
}

async function takePicture() {
  const video = element("camera");
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  stopCamera();
  element("start").focus();
  const picture = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
  await readFace(picture);
}

function show(tab) {
  for (const each of document.querySelectorAll("[role=tab]")) {
    const chosen = each === tab;
    each.setAttribute("aria-selected", String(chosen));
    each.tabIndex = chosen ? 0 : -1;
    element(each.getAttribute("aria-controls")).hidden = !chosen;
  }
  stopCamera();
  tab.focus();
}

const tabs = [...document.querySelectorAll("[role=tab]")];
for (const [number, tab] of tabs.entries()) {
  tab.addEventListener("click", () => show(tab));
  tab.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") show(tabs[1 - number]);
  });
}
element("file").addEventListener("change", (event) => {
  if (event.target.files.length) readFace(event.target.files[0]);
});
element("start").addEventListener("click", startCamera);
element("take").addEventListener("click", takePicture);
element("text").addEventListener("submit", (event) => {
  event.preventDefault();
  run((current) => search({ query: element("query").value }, current));
});

const health = await fetch("health").then((response) => response.json()).catch(() => null);
if (health) {
  element("about").append(` It searches ${health.reviews} reviews${health.synthetic ? ", all of them synthetic: no customer wrote them" : ""}.`);
  if (health.visage !== "ok") element("failure").textContent = "Visage does not answer: only the search by text works.";
}
