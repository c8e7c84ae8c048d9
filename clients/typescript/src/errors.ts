import type { components } from "./openapi.js";

/** Codes that the service sends; docs/errors.md explains each. */
export type ServiceErrorCode = components["schemas"]["ErrorCode"];

/** What can go wrong before or beside the service's own errors. */
export type ClientErrorCode =
  /** The device has no network. */
  | "offline"
  /** No response came. */
  | "unreachable"
  /** The response did not come within `timeout` seconds. */
  | "no_response"
  /** Something else than the service responded, such as a proxy with an HTML page. */
  | "unexpected_response"
  /** The stream ended before its summary. */
  | "stream_closed"
  | CameraErrorCode;

export type CameraErrorCode =
  /** The user or the page's policy refused the camera. */
  | "camera_denied"
  | "camera_missing"
  /** Another program uses the camera. */
  | "camera_busy"
  /** Browsers give a camera to pages that come over HTTPS or from localhost only. */
  | "camera_insecure";

export type ErrorCode = ServiceErrorCode | ClientErrorCode;

export interface VisageErrorDetails {
  status?: number | undefined;
  requestId?: string | undefined;
  retryAfter?: number | undefined;
  cause?: unknown;
}

/** Every failure of this package, except an abort by the caller's own signal, which keeps its reason. */
export class VisageError extends Error {
  override readonly name = "VisageError";
  readonly code: ErrorCode;
  /** The HTTP status, 0 without a response. */
  readonly status: number;
  /** Finds the request in the service's log; empty without a response. */
  readonly requestId: string;
  /** Seconds after which the same request may succeed, if the service named them. */
  readonly retryAfter: number | undefined;

  constructor(code: ErrorCode, message: string, details: VisageErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.code = code;
    this.status = details.status ?? 0;
    this.requestId = details.requestId ?? "";
    this.retryAfter = details.retryAfter;
  }
}

/** The error in a response that is no success; `body` is its JSON, or its text where it is something else. */
export function errorOf(response: Response, body: unknown): VisageError {
  const details = {
    status: response.status,
    requestId: response.headers.get("X-Request-ID") ?? "",
    retryAfter: retryAfter(response),
  };
  if (isServiceError(body)) {
    return new VisageError(body.error, body.message, { ...details, requestId: body.request_id });
  }
  return unexpected(details);
}

export function unexpected(details: VisageErrorDetails): VisageError {
  const message = `Something other than Visage responded (status ${details.status ?? 0}). Check the address and what lies between.`;
  return new VisageError("unexpected_response", message, details);
}

/** Seconds in `Retry-After`, which may also be a date. */
export function retryAfter(response: Response): number | undefined {
  const header = response.headers.get("Retry-After");
  if (header === null) return undefined;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

function isServiceError(body: unknown): body is components["schemas"]["Error"] {
  return typeof body === "object" && body !== null && "error" in body && "message" in body && "request_id" in body;
}
