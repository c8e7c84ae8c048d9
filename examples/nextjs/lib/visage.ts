import type { EngineErrorCode } from "@visage/browser";
import { Visage, type ErrorCode, type Info, type PredictedFace, type VisageError } from "@visage/client";
import { useEffect, useState } from "react";

/** The service, as the browser reaches it: through this program's own server. */
export const visage = new Visage({ url: "/api/visage", retries: 4, maxWait: 20 });

let loading: Promise<Info> | undefined;

/** What the service is, or undefined until it has said so. */
export function useInfo(): Info | undefined {
  const [info, setInfo] = useState<Info>();
  useEffect(() => {
    let shown = true;
    loading ??= visage.info();
    loading.then(
      (value) => shown && setInfo(value),
      () => (loading = undefined),
    );
    return () => void (shown = false);
  }, []);
  return info;
}

export interface Look {
  emoji: string;
  color: string;
}

export function labelLook(info: Info | undefined, name: string): Look {
  return info?.labels.find((label) => label.name === name) ?? { emoji: "🙂", color: "#676f78" };
}

/** Warnings that say nothing about how sure the prediction is. */
const HARMLESS: ReadonlySet<string> = new Set(["multiple_faces", "mesh_unsure"]);

/** The level of a face. With other warnings it is not shown at the highest: the service is less sure than it says. */
export function levelOf(info: Info | undefined, face: Pick<PredictedFace, "confidence" | "warnings">): Look & { name: string } {
  const levels = info?.levels ?? [];
  const reached = levels.filter((level) => face.confidence >= level.from).length - 1;
  const doubtful = face.warnings.some(({ code }) => !HARMLESS.has(code));
  const shown = Math.max(0, doubtful ? Math.min(reached, levels.length - 2) : reached);
  return levels[shown] ?? { name: "uncertain", emoji: "🤔", color: "#cc352a" };
}

/** A share in words that do not claim too much. */
export function percent(share: number): string {
  if (share > 0.99) return "over 99 %";
  if (share > 0 && share < 0.01) return "under 1 %";
  return `${Math.round(share * 100)} %`;
}

/** A title and advice for every error that the service, the client or the engine has. */
const ADVICE: Record<ErrorCode | EngineErrorCode, [title: string, advice: string]> = {
  no_face_detected: ["No face found", ""],
  multiple_faces: ["Several faces", ""],
  file_too_large: ["The file is too large", ""],
  image_too_large: ["The picture is too large", ""],
  image_too_small: ["The picture is too small", ""],
  too_many_files: ["Too many files", "Choose fewer at a time."],
  unsupported_media_type: ["Not a picture", ""],
  invalid_image: ["The file is damaged", ""],
  empty_file: ["The file is empty", "Choose another."],
  invalid_request: ["This cannot be done", ""],
  malformed_request: ["This cannot be done", ""],
  headers_too_large: ["This cannot be done", "Delete this site's cookies and try again."],
  method_not_allowed: ["This cannot be done", ""],
  not_found: ["The service does not have this", "It may be an older one."],
  model_not_found: ["There is no such model", "Load the page again."],
  details_unavailable: ["Details are not to be had", "Try again later."],
  unauthorized: ["The service refuses this program", "Its API key is missing or wrong: set VISAGE_API_KEY on the server."],
  forbidden: ["The service refuses this program", ""],
  rate_limited: ["Too many requests", ""],
  overloaded: ["The service is busy", ""],
  not_ready: ["The service is starting", "This can take a minute after a pause."],
  timeout: ["That took too long", "A smaller picture may help."],
  internal_error: ["Something went wrong", "Try again."],
  no_response: ["No response", "The service may be starting. Try again."],
  offline: ["You are offline", "Connect this device to the network."],
  unreachable: ["The service cannot be reached", "Check the network and try again."],
  unexpected_response: ["Something else responded", "A proxy or a sign-in page may lie between."],
  stream_closed: ["The stream has ended", "Start it again."],
  unsupported_browser: ["This browser cannot do it", ""],
  model_file_missing: ["A part of the engine is missing", "Load the page again."],
  model_file_mismatch: ["A part of the engine was changed", "It is not used."],
  model_file_unreachable: ["The engine is not here yet", "It is loaded once, over the network."],
  model_rejected: ["The engine failed", "Load the page again."],
  worker_failed: ["The engine failed", "Load the page again."],
  engine_closed: ["The engine is closed", "Load the page again."],
  camera_denied: ["The camera was refused", ""],
  camera_missing: ["No camera found", "Connect one, or choose a file."],
  camera_busy: ["The camera is in use", "Close the program that has it."],
  camera_insecure: ["The camera needs HTTPS", "Open this page over HTTPS or on localhost."],
};

/** An error for people: a title, and what to do. The service's own sentence is the more exact one, so it comes first. */
export function explain(error: VisageError): { title: string; text: string } {
  // A newer service may have other codes.
  const [title, advice] = ADVICE[error.code] ?? ADVICE.internal_error;
  return { title, text: [error.message, advice].filter(Boolean).join(" ") };
}
