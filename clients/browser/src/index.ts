export {
  createEngine,
  Engine,
  isSupported,
  type EngineOptions,
  type EnginePicture,
  type EnginePredictOptions,
} from "./engine.js";
export { EngineError, type EngineErrorCode } from "./errors.js";
export type { PredictedFace, PredictionResult } from "./types.js";
export type { EngineInfo } from "./protocol.js";
