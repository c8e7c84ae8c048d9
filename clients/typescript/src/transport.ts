import { retryAfter, VisageError } from "./errors.js";

export interface TransportOptions {
  fetch: typeof fetch;
  /** Most repetitions of one request. */
  retries: number;
  /** Longest time to wait for a repetition, in seconds. */
  maxWait: number;
  /** Longest time for one response, in seconds. */
  timeout: number;
}

/**
 * A `fetch` that repeats what was refused for now (429 and 503 with `Retry-After`) and turns failures of the network into
 * errors of this package. Nothing else is repeated: the service may be at work on it.
 */
export function transport(options: TransportOptions): (request: Request) => Promise<Response> {
  return async (request) => {
    for (let repetition = 0; ; repetition++) {
      const last = repetition >= options.retries;
      const response = await once(last ? request : request.clone(), options);
      const wait = retryAfter(response);
      const refused = response.status === 429 || response.status === 503;
      if (last || !refused || wait === undefined || wait > options.maxWait) return response;
      await response.body?.cancel();
      await pause(wait, request.signal);
    }
  };
}

async function once(request: Request, { fetch, timeout }: TransportOptions): Promise<Response> {
  const controller = new AbortController();
  const abort = () => controller.abort(request.signal.reason);
  throwIfAborted(request.signal);
  request.signal.addEventListener("abort", abort);
  let late = false;
  // A timer takes no more than 24 days, and fires at once if it is asked for more.
  const timer = setTimeout(
    () => {
      late = true;
      controller.abort();
    },
    Math.min(timeout * 1000, 2 ** 31 - 1),
  );
  try {
    const response = await fetch(request, { signal: controller.signal });
    // The time counts until the last byte. All that the service sends is text, which React Native reads best as such.
    const body = await response.text();
    const empty = response.status === 204 || response.status === 304;
    return new Response(empty ? null : body, response);
  } catch (cause) {
    throwIfAborted(request.signal);
    if (late) throw new VisageError("no_response", `The service did not respond within ${timeout} seconds.`, { cause });
    const offline = globalThis.navigator?.onLine === false;
    const message = offline ? "This device is offline." : "The service cannot be reached.";
    throw new VisageError(offline ? "offline" : "unreachable", message, { cause });
  } finally {
    clearTimeout(timer);
    request.signal.removeEventListener("abort", abort);
  }
}

function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw reasonOf(signal);
}

/** Why a signal was aborted. In React Native up to 0.81 it keeps no reason. */
function reasonOf(signal: AbortSignal): unknown {
  return signal.reason ?? Object.assign(new Error("The call was aborted."), { name: "AbortError" });
}

function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(reasonOf(signal));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, seconds * 1000);
    signal.addEventListener("abort", stop, { once: true });
  });
}
