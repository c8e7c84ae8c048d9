export {
  createEngine,
  Engine,
  isSupported,
  type EngineOptions,
  type EnginePicture,
  type EnginePredictOptions,
} from "./engine.js";
export { EngineError, type EngineErrorCode } from "./errors.js";
export type { EngineInfo } from "./protocol.js";
export { EngineStream, type EngineStreamOptions } from "./stream.js";
export type { FramePrediction, PredictedFace, PredictionResult, TrackedFace } from "./types.js";
