import { VisageError, type CameraErrorCode } from "./errors.js";

export interface CameraOptions {
  /** `user` is the front camera, `environment` the one at the back. */
  facing?: "user" | "environment";
  /** A camera of `cameras()`, in place of `facing`. */
  deviceId?: string;
  width?: number;
  height?: number;
}

const CODES: Record<string, CameraErrorCode> = {
  NotAllowedError: "camera_denied",
  SecurityError: "camera_denied",
  NotFoundError: "camera_missing",
  OverconstrainedError: "camera_missing",
};

const MESSAGES: Record<CameraErrorCode, string> = {
  camera_denied: "The camera was refused. Allow it for this page in the browser's settings.",
  camera_missing: "No camera was found.",
  camera_busy: "The camera cannot be used: another program may have it.",
  camera_insecure: "Browsers give the camera to pages over HTTPS only.",
};

/** Opens a camera. Stop the tracks of what it returns when you are done. */
export async function openCamera({ facing = "user", deviceId, width = 640, height = 480 }: CameraOptions = {}): Promise<MediaStream> {
  if (!globalThis.navigator?.mediaDevices?.getUserMedia) throw failure("camera_insecure");
  const which = deviceId === undefined ? { facingMode: facing } : { deviceId: { exact: deviceId } };
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { ...which, width: { ideal: width }, height: { ideal: height } },
    });
  } catch (cause) {
    throw cameraError(cause);
  }
}

/** The cameras of this device. Their labels are empty until the user has allowed one. */
export async function cameras(): Promise<MediaDeviceInfo[]> {
  const devices = await navigator.mediaDevices?.enumerateDevices();
  return (devices ?? []).filter((device) => device.kind === "videoinput");
}

/** The picture that a video shows as a JPEG, at most `longestSide` pixels wide and high; null before there is one. */
export async function takeFrame(video: HTMLVideoElement, longestSide = 640, quality = 0.8): Promise<Blob | null> {
  const scale = Math.min(1, longestSide / Math.max(video.videoWidth, video.videoHeight, 1));
  const width = Math.round(video.videoWidth * scale);
  const height = Math.round(video.videoHeight * scale);
  if (width === 0 || height === 0) return null;
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d")?.drawImage(video, 0, 0, width, height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
}

/** What a browser says of a camera, as an error of this package. */
export function cameraError(cause: unknown): VisageError {
  return cause instanceof VisageError ? cause : failure(CODES[(cause as Error).name] ?? "camera_busy", cause);
}

function failure(code: CameraErrorCode, cause?: unknown): VisageError {
  return new VisageError(code, MESSAGES[code], { cause });
}
