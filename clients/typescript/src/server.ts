import { errorOf, unexpected } from "./errors.js";
import { transport } from "./transport.js";

export interface TokenHandlerOptions {
  /** The address of the service. */
  url: string;
  /** The API key, which stays on this server. */
  apiKey?: string;
  /** Who may have a token. Check your own session here; without it everybody who reaches this route may. */
  allow?: (request: Request) => boolean | Promise<boolean>;
  fetch?: typeof fetch;
}

/**
 * A handler for a route of your server (`export const POST = createTokenHandler({…})` in Next.js) that gives browsers a
 * short-lived token for a stream, so that the API key never leaves the server.
 */
export function createTokenHandler(options: TokenHandlerOptions): (request: Request) => Promise<Response> {
  const { url, apiKey, allow = () => true, fetch = globalThis.fetch } = options;
  const send = transport({ fetch: fetch.bind(globalThis), retries: 0, maxWait: 0, timeout: 10 });
  return async (request) => {
    if (request.method !== "POST") return refusal(405, "method_not_allowed", "Use POST.");
    if (!(await allow(request))) return refusal(401, "unauthorized", "You may not open a stream.");
    const headers = apiKey ? { "X-API-Key": apiKey } : {};
    try {
      const address = `${url.replace(/\/+$/, "")}/stream/token`;
      const response = await send(new Request(address, { method: "POST", headers }));
      const body: unknown = await response.json().catch(() => null);
      if (response.ok && typeof body === "object" && body !== null && "token" in body) return json(200, body);
      const error = response.ok ? unexpected({ status: response.status }) : errorOf(response, body);
      return refusal(error.status < 400 ? 502 : error.status, error.code, error.message, error);
    } catch {
      return refusal(502, "unreachable", "The service cannot be reached.");
    }
  };
}

interface Facts {
  requestId?: string;
  retryAfter?: number | undefined;
}

function refusal(status: number, error: string, message: string, { requestId = "", retryAfter }: Facts = {}): Response {
  const headers = retryAfter === undefined ? {} : { "Retry-After": String(Math.ceil(retryAfter)) };
  return json(status, { success: false, error, message, request_id: requestId }, headers);
}

function json(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers: { "Cache-Control": "no-store", ...headers } });
}
