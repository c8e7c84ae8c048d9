export * from "./client.js";
export { VisageError, type CameraErrorCode, type ClientErrorCode, type ErrorCode, type ServiceErrorCode } from "./errors.js";
export { canScale, scaleDown, type NativeFile, type Picture, type ScaleOptions, type Scaled, type Size } from "./picture.js";
export {
  VisageStream,
  type FramePrediction,
  type SessionEvent,
  type SessionSummary,
  type StreamEvents,
  type StreamOptions,
  type StreamStarted,
  type StreamState,
  type TrackedFace,
} from "./stream.js";
export type { components, operations, paths } from "./openapi.js";
