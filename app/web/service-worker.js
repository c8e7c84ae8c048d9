/**
 * Keeps the page and the engine for use without a network. The service writes three constants above this: VERSION, the
 * hash of all files; ENGINE_FOLDER; and PAGE_FILES. Pictures never come here.
 */

/* global VERSION, ENGINE_FOLDER, PAGE_FILES */
const SCOPE = new URL("./", location.href);
const PAGE_CACHE = `visage-page-${VERSION}`;
const ENGINE_CACHE = `visage-engine-${ENGINE_FOLDER}`;
const page = new Set(["", "favicon.ico", "web/engine.json", ...PAGE_FILES]);
/** What is kept when it is asked for: the labels and their looks, and the samples. */
const isKeptOnUse = (path) => path === "info" || path.startsWith("samples/");

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname, href } = new URL(request.url);
  if (request.method !== "GET" || origin !== SCOPE.origin || !pathname.startsWith(SCOPE.pathname)) return;
  const path = pathname.slice(SCOPE.pathname.length);
  if (path.startsWith(ENGINE_FOLDER)) event.respondWith(fromCacheFirst(request));
  else if (page.has(path)) event.respondWith(fromNetworkFirst(request, new URL(pathname, href)));
  else if (isKeptOnUse(path)) event.respondWith(fromNetworkFirst(request, new URL(pathname, href), true));
});

/** All files of this version of the page, or none. */
async function install() {
  const cache = await caches.open(PAGE_CACHE);
  await cache.addAll([...page].map((path) => new Request(new URL(path, SCOPE), { cache: "no-cache" })));
  await self.skipWaiting();
}

async function activate() {
  const names = (await caches.keys()).filter((name) => name.startsWith("visage-"));
  await Promise.all(names.filter((name) => name !== PAGE_CACHE && name !== ENGINE_CACHE).map((name) => caches.delete(name)));
  await self.clients.claim();
}

/** The engine's files never change: their folder has the hash of their content. */
async function fromCacheFirst(request) {
  const cache = await caches.open(ENGINE_CACHE);
  const kept = await cache.match(request.url, { ignoreVary: true });
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) await keep(cache, request.url, response);
  return response;
}

async function fromNetworkFirst(request, address, keeps = false) {
  const cache = await caches.open(PAGE_CACHE);
  try {
    const response = await fetch(request);
    if (keeps && response.ok) await keep(cache, address, response);
    return response;
  } catch {
    return (await cache.match(address, { ignoreVary: true })) ?? Response.error();
  }
}

/** Without room it is not kept, but still used. */
const keep = (cache, address, response) => cache.put(address, response.clone()).catch(() => {});
