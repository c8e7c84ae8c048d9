/** What a page and its worker send each other. */

import type { EngineErrorCode } from "./errors.js";
import type { FramePrediction, PictureFormat, PredictionResult } from "./types.js";

/** A picture as the worker gets it. */
export type SentPicture = ImageBitmap | VideoFrame | ImageData | Blob;

export interface LoadOptions {
  readonly modelsUrl: string;
  readonly model: string | undefined;
  readonly threads: number;
  readonly confidenceThreshold: number | undefined;
}

export interface DetailsRequest {
  readonly details: readonly string[];
  readonly language: string;
}

export interface PredictRequest extends DetailsRequest {
  readonly picture: SentPicture;
  readonly format: PictureFormat;
  readonly faces: "one" | "largest" | "all";
  readonly onNoFace: "error" | "center";
  /** The method of the heat map that is wanted. */
  readonly method: string | undefined;
}

export interface StreamRequest {
  readonly stream: number;
  readonly faces: "largest" | "all";
  /** Time constant of `smoothed` in seconds; 0 turns it off. */
  readonly smoothing: number;
}

export interface FrameRequest extends DetailsRequest {
  readonly stream: number;
  readonly picture: SentPicture;
  /** Seconds since the start of the stream. */
  readonly t: number;
  readonly frame: number;
  readonly skipped: number;
}

/** What is loaded. */
export interface EngineInfo {
  readonly model: { readonly name: string; readonly version: string };
  readonly labels: readonly string[];
  /** The names that `details` may have. */
  readonly details: readonly string[];
  readonly threads: number;
  /** The version of the service that the models come from. */
  readonly version: string;
}

/** The calls of the worker: what each takes, and what it gives. */
export interface Calls {
  load: (options: LoadOptions) => Promise<EngineInfo>;
  predict: (request: PredictRequest) => Promise<PredictionResult>;
  openStream: (request: StreamRequest) => Promise<void>;
  frame: (request: FrameRequest) => Promise<FramePrediction>;
  closeStream: (stream: number) => Promise<void>;
}

export type Call = {
  [Name in keyof Calls]: { readonly id: number; readonly call: Name; readonly value: Parameters<Calls[Name]>[0] };
}[keyof Calls];

export type Reply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: { readonly code: EngineErrorCode; readonly message: string } }
  | { readonly id: number; readonly progress: readonly [loaded: number, total: number] };
