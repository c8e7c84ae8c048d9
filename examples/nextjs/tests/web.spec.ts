import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import AxeBuilder from "@axe-core/playwright";
import { expect, test, type Page } from "@playwright/test";
import { KEY, SERVICE } from "../playwright.config";

const sample = (name: string) => fileURLToPath(new URL(`../../../sample_images/${name}.jpg`, import.meta.url));

/** Why tests of what is said, and not of how it looks, run once. */
const SAME_ON_A_PHONE = "It is the same on a phone.";

async function accessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
}

/** Nothing is wider than the page. */
async function fits(page: Page): Promise<void> {
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
}

const choose = (page: Page, label: string, ...names: string[]) => page.getByLabel(label, { exact: true }).setInputFiles(names.map(sample));

test("the first page reads a photo", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByText("must not be used for")).toBeVisible();
  await accessible(page);
  await fits(page);
  await choose(page, "Photo", "happy_sample");
  await expect(page.getByRole("heading", { name: "Looks happy" })).toBeVisible();
  await expect(page.getByText("512 × 512 pixels, 75 kB")).toBeVisible();
  await expect(page.getByRole("img", { name: "Face 1: happy" })).toBeVisible();
  await expect(page.getByRole("img", { name: /Where the model looked/ })).toBeVisible();
  await accessible(page);
  await fits(page);
  await page.getByRole("button", { name: "Try another" }).click();
  await expect(page.getByRole("button", { name: "Choose a photo" })).toBeVisible();
});

test("samples, several faces and no face", async ({ page }) => {
  await page.goto("/");
  await page.getByRole("button", { name: "Several faces" }).click();
  // That there are several lowers no confidence where each has a button.
  await expect(page.getByText("sure: 9")).toBeVisible();
  await page.getByRole("button", { name: /^Face 2/ }).click();
  await expect(page.getByRole("button", { name: /^Face 2/ })).toHaveAttribute("aria-pressed", "true");
  await page.getByRole("button", { name: "Try another" }).click();
  await page.getByRole("button", { name: "No face" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "No face found" })).toBeVisible();
  await accessible(page);
});

test("a photo can be dropped, pasted and taken", async ({ page }) => {
  await page.goto("/");
  const bytes = [...readFileSync(sample("happy_sample"))];
  for (const kind of ["paste", "drop"] as const) {
    await expect(page.getByRole("button", { name: "Choose a photo" })).toBeVisible();
    await page.evaluate(
      ({ bytes, kind }) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], "me.jpg", { type: "image/jpeg" }));
        if (kind === "paste") document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
        else document.querySelector("[class*=border-dashed]")!.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
      },
      { bytes, kind },
    );
    await expect(page.getByRole("heading", { name: "Looks happy" })).toBeVisible();
    await page.getByRole("button", { name: "Try another" }).click();
  }
  await page.getByRole("button", { name: "Use the camera" }).click();
  await page.getByRole("button", { name: "Take a photo" }).click();
  await expect(page.getByRole("heading", { name: /happy/ })).toBeVisible();
});

test("the keyboard alone is enough", async ({ page }) => {
  await page.goto("/");
  for (let presses = 0; presses < 30; presses++) {
    await page.keyboard.press("Tab");
    if (await page.getByRole("button", { name: "A smiling face" }).evaluate((button) => button === document.activeElement)) break;
  }
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Looks happy" })).toBeVisible();
});

test.describe("errors have words of their own", () => {
  test.skip(({ isMobile }) => isMobile, SAME_ON_A_PHONE);
  const cases = [
    [401, "unauthorized", "The service refuses this program"],
    [413, "file_too_large", "The file is too large"],
    [415, "unsupported_media_type", "Not a picture"],
    [422, "invalid_image", "The file is damaged"],
    [503, "not_ready", "The service is starting"],
    [500, "internal_error", "Something went wrong"],
  ] as const;
  for (const [status, code, title] of cases) {
    test(code, async ({ page }) => {
      const json = { success: false, error: code, message: "The service says so.", request_id: "abc" };
      await page.route("**/api/visage/predict?*", (route) => route.fulfill({ status, json }));
      await page.goto("/");
      await page.getByRole("button", { name: "A smiling face" }).click();
      const alert = page.getByRole("alert").filter({ hasText: title });
      await expect(alert).toContainText("The service says so.");
      await expect(alert).toContainText("abc");
    });
  }

  test("a rate that is used up counts down and can be tried again", async ({ page }) => {
    const json = { success: false, error: "rate_limited", message: "Too many requests.", request_id: "abc" };
    await page.route("**/api/visage/predict?*", (route) => route.fulfill({ status: 429, json, headers: { "Retry-After": "21" } }), { times: 1 });
    await page.clock.install();
    await page.goto("/");
    await page.getByRole("button", { name: "A smiling face" }).click();
    await expect(page.getByRole("button", { name: /Try again in 2\d s/ })).toBeDisabled();
    await page.clock.runFor(22_000);
    await page.getByRole("button", { name: "Try again", exact: true }).click();
    await expect(page.getByRole("heading", { name: "Looks happy" })).toBeVisible();
  });

  test("a service that wakes is asked again until it is there", async ({ page }) => {
    const json = { success: false, error: "not_ready", message: "The service is starting.", request_id: "abc" };
    await page.route("**/api/visage/predict?*", (route) => route.fulfill({ status: 503, json, headers: { "Retry-After": "1" } }), { times: 2 });
    await page.goto("/");
    await page.getByRole("button", { name: "A smiling face" }).click();
    await expect(page.getByRole("heading", { name: "Looks happy" })).toBeVisible();
  });

  test("a service that starts is waited for, and the page says for how long", async ({ page }) => {
    await page.route("**/api/visage/predict?*", async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 3600));
      await route.continue();
    });
    await page.goto("/");
    await page.getByRole("button", { name: "A smiling face" }).click();
    await expect(page.getByText(/may be starting: 3 s/)).toBeVisible();
    await expect(page.getByRole("heading", { name: "Looks happy" })).toBeVisible();
  });

  test("no network", async ({ page, context }) => {
    await page.goto("/");
    await page.getByRole("button", { name: "Choose a photo" }).waitFor();
    await context.setOffline(true);
    await choose(page, "Photo", "happy_sample");
    await expect(page.getByRole("alert").filter({ hasText: "You are offline" })).toBeVisible();
  });
});

test("many photos become a table", async ({ page }) => {
  await page.goto("/gallery");
  await choose(page, "Photos", "happy_sample", "no_face", "neutral_sample");
  await expect(page.getByText("3 of 3 read")).toBeVisible();
  await accessible(page);
  await fits(page);
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save as CSV" }).click();
  const table = readFileSync(await (await download).path(), "utf8");
  const form = new FormData();
  for (const name of ["happy_sample", "no_face", "neutral_sample"]) form.append("files", new Blob([readFileSync(sample(name))]), `${name}.jpg`);
  const own = await fetch(`${SERVICE}/predict/batch?faces=largest`, { method: "POST", body: form, headers: { Accept: "text/csv", "X-API-Key": KEY } });
  expect(rows(table)).toEqual(rows(await own.text()));
});

/** The rows of a table whose numbers are numbers: 0 is the same as 0.0. */
const rows = (table: string) => table.split("\r\n").map((row) => row.split(",").map((cell) => (/^[\d.]+$/.test(cell) ? Number(cell) : cell)));

test("models side by side", async ({ page }) => {
  await page.goto("/compare");
  await choose(page, "Photo", "happy_sample");
  await expect(page.getByRole("heading", { name: /accurate: happy/ })).toBeVisible();
  await accessible(page);
  await fits(page);
});

test("a photo that is chosen while another is compared takes its place", async ({ page, isMobile }) => {
  test.skip(isMobile, SAME_ON_A_PHONE);
  await page.route("**/api/visage/predict/compare?*", () => {}, { times: 1 });
  const asked = page.waitForRequest("**/api/visage/predict/compare?*");
  const givenUp = page.waitForEvent("requestfailed", (request) => request.url().includes("/predict/compare"));
  await page.goto("/compare");
  await choose(page, "Photo", "happy_sample");
  await asked;
  await choose(page, "Photo", "neutral_sample");
  await givenUp;
  await expect(page.getByRole("heading", { name: /accurate: neutral/ })).toBeVisible();
});

test("the dashboard shows the totals", async ({ page }) => {
  await page.goto("/dashboard");
  await expect(page.getByText("Expressions").first()).toBeVisible();
  await expect(page.locator("figcaption").first()).toContainText("happy");
  await accessible(page);
  await fits(page);
});

test("live reads the camera and ends with a report", async ({ page }) => {
  await page.goto("/live");
  await page.getByRole("button", { name: "Start the camera" }).click();
  await expect(page.getByRole("heading", { name: /Face 1: happy/ })).toBeVisible();
  await expect(page.getByText(/Live, \d+ ms a frame/)).toBeVisible();
  await accessible(page);
  await fits(page);
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(page.getByRole("region", { name: "Report" })).toContainText("happy: over 99 % of the time");
});

/** Breaks connections of the stream as soon as a prediction has come. */
async function breakStreams(page: Page, isBroken: (connection: number) => boolean): Promise<void> {
  let connections = 0;
  await page.routeWebSocket(/\/stream/, (socket) => {
    const broken = isBroken(connections++);
    const server = socket.connectToServer();
    server.onMessage(async (message) => {
      socket.send(message);
      if (broken && String(message).includes('"prediction"')) await socket.close({ code: 1011 });
    });
  });
}

test("a connection that breaks in the middle is opened again", async ({ page }) => {
  await breakStreams(page, (connection) => connection === 0);
  await page.goto("/live");
  await page.getByRole("button", { name: "Start the camera" }).click();
  await expect(page.getByText(/The connection was lost. Trying again/)).toBeVisible();
  await expect(page.getByText(/Live, \d+ ms a frame/)).toBeVisible();
});

test("a service that is gone for good is said, and the camera is closed", async ({ page, isMobile }) => {
  test.skip(isMobile, SAME_ON_A_PHONE);
  await page.routeWebSocket(/\/stream/, (socket) => socket.close({ code: 1011 }));
  await page.clock.install();
  await page.goto("/live");
  await page.getByRole("button", { name: "Start the camera" }).click();
  await expect(page.getByText(/Trying again/)).toBeVisible();
  // One step of the clock may hold several waits, since a connection breaks between two of its timers.
  await expect(async () => {
    await page.clock.runFor(16_000);
    await expect(page.getByText(/Ended/)).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 30_000 });
  await expect(page.getByRole("alert").filter({ hasText: "The stream has ended" })).toBeVisible();
  expect(await page.getByLabel("Camera").evaluate((video: HTMLVideoElement) => video.srcObject)).toBeNull();
});

test("a camera that is denied is said for a photo too", async ({ page, isMobile }) => {
  test.skip(isMobile, SAME_ON_A_PHONE);
  await page.addInitScript(() => (navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", "NotAllowedError"))));
  await page.goto("/");
  await page.getByRole("button", { name: "Use the camera" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "The camera was refused" })).toBeVisible();
});

/** The engine is compiled first, which takes a busy machine its time. */
const ENGINE_LOADS = { timeout: 25_000 };

/** Switches to this device, and notes every request from then on that carries something. */
async function turnOnDevice(page: Page): Promise<string[]> {
  await page.getByRole("switch", { name: "On this device" }).check();
  const sent: string[] = [];
  page.on("request", (request) => request.method() !== "GET" && sent.push(request.url()));
  page.on("websocket", (socket) => sent.push(socket.url()));
  return sent;
}

test("a photo is read on this device", async ({ page }) => {
  await page.goto("/");
  const sent = await turnOnDevice(page);
  await expect(page.getByText("What leaves this device: nothing.")).toBeVisible();
  await choose(page, "Photo", "happy_sample");
  await expect(page.getByRole("heading", { name: "Looks happy" })).toBeVisible(ENGINE_LOADS);
  await expect(page.getByRole("img", { name: "Face 1: happy" })).toBeVisible();
  await accessible(page);
  await fits(page);
  // The service gives a heat map, the engine does not.
  await expect(page.getByRole("img", { name: /Where the model looked/ })).toBeHidden();
  expect(sent).toEqual([]);
  await page.getByRole("switch").uncheck();
  await expect(page.getByRole("img", { name: /Where the model looked/ })).toBeVisible();
});

test("many photos are read on this device", async ({ page }) => {
  await page.goto("/gallery");
  const sent = await turnOnDevice(page);
  await choose(page, "Photos", "happy_sample", "no_face", "neutral_sample");
  await expect(page.getByText("3 of 3 read")).toBeVisible(ENGINE_LOADS);
  await expect(page.getByRole("listitem").filter({ hasText: "happy_sample" })).toContainText("happy, ");
  await expect(page.getByRole("listitem").filter({ hasText: "no_face" })).toContainText("No face found");
  await accessible(page);
  await fits(page);
  expect(sent).toEqual([]);
});

test("live video is read on this device", async ({ page }) => {
  await page.goto("/live");
  const sent = await turnOnDevice(page);
  await page.getByRole("button", { name: "Start the camera" }).click();
  await expect(page.getByRole("heading", { name: /Face \d+: happy/ })).toBeVisible(ENGINE_LOADS);
  await expect(page.getByText(/Read on this device, \d+ ms a frame/)).toBeVisible();
  await accessible(page);
  await fits(page);
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(page.getByRole("region", { name: "Report" })).toContainText("happy: over 99 % of the time");
  expect(sent).toEqual([]);
});

test.describe("what goes wrong on the device is said", () => {
  test.skip(({ isMobile }) => isMobile, SAME_ON_A_PHONE);
  const refused = async (page: Page, title: string) => {
    await turnOnDevice(page);
    await choose(page, "Photo", "happy_sample");
    await expect(page.getByRole("alert").filter({ hasText: title })).toBeVisible();
  };

  test("a model file that does not match its hash", async ({ page }) => {
    await page.route("**/*.onnx", (route) => route.fulfill({ body: "something else" }));
    await page.goto("/");
    await refused(page, "A part of the engine was changed");
  });

  test("a browser without SIMD", async ({ page }) => {
    await page.addInitScript(() => (WebAssembly.validate = () => false));
    await page.goto("/");
    await refused(page, "This browser cannot do it");
  });

  test("a worker that stops", async ({ page }) => {
    await page.route("**/edge/worker.js", (route) => route.abort());
    await page.goto("/");
    await refused(page, "The engine failed");
  });

  test("a script that does not come", async ({ page }) => {
    await page.route("**/edge/index.js", (route) => route.abort());
    await page.goto("/");
    await refused(page, "The engine is not here yet");
  });

  test("a camera that is denied", async ({ page }) => {
    await page.addInitScript(() => (navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", "NotAllowedError"))));
    await page.goto("/live");
    await turnOnDevice(page);
    await page.getByRole("button", { name: "Start the camera" }).click();
    await expect(page.getByRole("alert").filter({ hasText: "The camera was refused" })).toBeVisible();
  });
});

test("no script runs that this program did not send, and the key stays on the server", async ({ page, request }) => {
  const refused: string[] = [];
  page.on("console", (message) => message.type() === "error" && refused.push(message.text()));
  const response = await page.goto("/");
  const policy = response!.headers()["content-security-policy"]!;
  expect(/script-src[^;]*/.exec(policy)![0]).not.toContain("unsafe");
  await page.getByRole("button", { name: "A smiling face" }).click();
  await expect(page.getByRole("heading", { name: "Looks happy" })).toBeVisible();
  expect(refused).toEqual([]);
  expect(await page.content()).not.toContain("a-key-for-the-tests");
  expect((await request.post("/api/visage/models/reload")).status()).toBe(404);
  expect((await request.get("/api/visage/metrics")).status()).toBe(404);
});

test("the browser learns how much of the rate is left", async ({ request }) => {
  const headers = (await request.get("/api/visage/labels")).headers();
  for (const name of ["limit", "remaining", "reset"]) expect(Number(headers[`x-ratelimit-${name}`])).toBeGreaterThan(0);
});

test("the first page is light and quick", async ({ page }) => {
  const scripts: Promise<number>[] = [];
  page.on("response", (response) => {
    if (response.url().endsWith(".js")) scripts.push(response.body().then((body) => gzipSync(body).length));
  });
  await page.goto("/", { waitUntil: "load" });
  const bytes = (await Promise.all(scripts)).reduce((sum, size) => sum + size, 0);
  expect(bytes).toBeGreaterThan(50_000);
  expect(bytes).toBeLessThan(200_000);
  const paint = await page.evaluate(
    () => new Promise<number>((resolve) => new PerformanceObserver((list) => resolve(list.getEntries().at(-1)!.startTime)).observe({ type: "largest-contentful-paint", buffered: true })),
  );
  console.log(`${Math.round(bytes / 1000)} kB of scripts, largest paint after ${Math.round(paint)} ms`);
});

test("an unknown page says so", async ({ page }) => {
  expect((await page.goto("/nowhere"))!.status()).toBe(404);
  await expect(page.getByText("There is no such page")).toBeVisible();
});
