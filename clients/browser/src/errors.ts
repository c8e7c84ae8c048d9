/** What can go wrong. Codes that the service has too mean the same here. */
export type EngineErrorCode =
  /** The browser has no WebAssembly, no SIMD in it, or no module workers. */
  | "unsupported_browser"
  /** `engine.json` or a file that it names is not there, or is no such file. */
  | "model_file_missing"
  /** A file is not the one whose hash `engine.json` has. */
  | "model_file_mismatch"
  /** A file could not be loaded: no network, or another origin that does not allow it. */
  | "model_file_unreachable"
  /** A model does not run in this browser, for want of memory for example. */
  | "model_rejected"
  | "model_not_found"
  /** The worker's script could not be loaded, or it stopped. */
  | "worker_failed"
  | "engine_closed"
  | "no_face_detected"
  | "multiple_faces"
  | "invalid_image"
  | "image_too_large"
  | "image_too_small"
  | "invalid_request"
  | "details_unavailable"
  | "internal_error";

/** Every failure of this package, except an abort by the caller's own signal, which keeps its reason. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly code: EngineErrorCode;

  constructor(code: EngineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
