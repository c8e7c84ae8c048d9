/** The types of results: those of the service. */

import type { components } from "./results.js";

type Schemas = components["schemas"];
export type PredictionResult = Schemas["PredictionResult"];
export type PredictedFace = Schemas["PredictedFace"];
export type PictureFormat = Schemas["PictureInfo"]["format"];
export type WarningCode = Schemas["WarningCode"];
