/** Calls of the service's routes. Every failure becomes a `CallError`. */

/** The address of the service; the page may be served under a prefix. */
export const ROOT = new URL("../", import.meta.url);

const TIMEOUT_MS = 60_000;

let key = "";

/** Sets the API key, as the bytes of a header. It is kept in memory only, until the page is closed. */
export function useKey(value) {
  key = String.fromCharCode(...new TextEncoder().encode(value.trim()));
}

export const hasKey = () => key !== "";

/** Tells of every call: `allowance` with what is left of the client's rate, `failed` with the error's code. */
export const calls = new EventTarget();

const tell = (name, detail) => calls.dispatchEvent(new CustomEvent(name, { detail }));

/** A failed call. `code` is one of the service's error codes, or `offline`, `unreachable` or `aborted`. */
export class CallError extends Error {
  constructor(code, { message = "", status = 0, retryAfter = null, requestId = "" } = {}) {
    super(message || code);
    Object.assign(this, { code, status, retryAfter, requestId });
  }
}

const BY_STATUS = {
  401: "unauthorized",
  404: "not_found",
  405: "method_not_allowed",
  413: "file_too_large",
  415: "unsupported_media_type",
  422: "invalid_request",
  429: "rate_limited",
  502: "not_ready",
  503: "not_ready",
  504: "timeout",
};

export function address(path, query = {}) {
  const url = new URL(path, ROOT);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  return url;
}

/**
 * One call. `allow` names statuses other than 2xx whose JSON is returned too; `kept` says that there may be a copy for use
 * without a network.
 */
export async function call(path, { query, body, signal, method = body ? "POST" : "GET", allow = [], kept = false } = {}) {
  if (navigator.onLine === false && !kept) throw new CallError("offline");
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let response;
  let text;
  try {
    response = await fetch(address(path, query), {
      method,
      body,
      headers: key ? { "X-API-Key": key } : {},
      credentials: "omit",
      cache: "no-store",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw new CallError("aborted");
    const code = error.name === "TimeoutError" ? "timeout" : navigator.onLine === false ? "offline" : "unreachable";
    tell("failed", code);
    throw new CallError(code);
  }
  tellAllowance(response.headers);
  let json = null;
  try {
    json = JSON.parse(text);
  } catch {
    // A proxy in front of the service may send an HTML page.
  }
  if (json && (response.ok || allow.includes(response.status))) return json;
  throw new CallError(json?.error ?? BY_STATUS[response.status] ?? "internal_error", {
    message: json?.message,
    status: response.status,
    retryAfter: seconds(response.headers.get("Retry-After")),
    requestId: json?.request_id ?? response.headers.get("X-Request-ID") ?? "",
  });
}

function tellAllowance(headers) {
  const [limit, remaining] = ["Limit", "Remaining"].map((name) => Number.parseInt(headers.get(`X-RateLimit-${name}`) ?? "", 10));
  if (Number.isFinite(limit) && Number.isFinite(remaining)) tell("allowance", { limit, remaining });
}

function seconds(header) {
  const value = Number.parseInt(header ?? "", 10);
  return Number.isFinite(value) ? Math.max(value, 1) : null;
}

function form(field, files) {
  const body = new FormData();
  for (const file of files) body.append(field, file, file.name);
  return body;
}

export const predict = (file, query, signal) => call("predict", { query, body: form("file", [file]), signal });
export const predictBatch = (files, query, signal) => call("predict/batch", { query, body: form("files", files), signal });
export const health = () => call("health", { allow: [503] });
export const info = () => call("info", { kept: true });
export const stats = () => call("stats");
export const streamToken = () => call("stream/token", { method: "POST" });
export const analyzeSession = (series) =>
  call("analyze/session", { body: new Blob([JSON.stringify(series)], { type: "application/json" }) });
