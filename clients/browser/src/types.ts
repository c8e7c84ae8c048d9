/** The types of results: those of the service. */

import type { components } from "./results.js";

type Schemas = components["schemas"];
export type PredictionResult = Schemas["PredictionResult"];
export type PredictedFace = Schemas["PredictedFace"];
export type FramePrediction = Omit<Schemas["FramePrediction"], "practice">;
export type TrackedFace = Schemas["TrackedFace"];
export type PictureFormat = Schemas["PictureInfo"]["format"];
export type WarningCode = Schemas["WarningCode"];
