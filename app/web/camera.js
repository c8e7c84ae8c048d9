/** Opens and closes the camera, takes single pictures, and says why it does not open. */

import { CallError } from "./api.js";

const REASONS = {
  NotAllowedError: "camera_denied",
  SecurityError: "camera_denied",
  NotFoundError: "camera_missing",
  OverconstrainedError: "camera_missing",
  NotReadableError: "camera_busy",
  AbortError: "camera_busy",
};

/**
 * Shows a camera in a video element: the one that looks at the person, or another `which`, as constraints. The caller
 * stops it with `closeCamera`. One that is no longer `wanted` is stopped at once.
 */
export async function openCamera(video, longest, wanted, which = { facingMode: "user" }) {
  if (!navigator.mediaDevices?.getUserMedia) throw new CallError("camera_insecure");
  try {
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { ...which, width: { ideal: longest }, height: { ideal: (longest * 3) / 4 } },
    });
    if (!wanted()) return stop(stream);
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    if (wanted()) closeCamera(video);
    throw new CallError(REASONS[error.name] ?? "camera_busy");
  }
}

const stop = (stream) => stream.getTracks().forEach((track) => track.stop());

export function closeCamera(video) {
  if (video.srcObject) stop(video.srcObject);
  video.srcObject = null;
}

/** The current picture of the camera as a JPEG file, not mirrored. */
export async function snapshot(video, longest, quality, canvas = document.createElement("canvas")) {
  const scale = Math.min(1, longest / Math.max(video.videoWidth, video.videoHeight));
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", quality));
  return new File([blob], "camera.jpg", { type: "image/jpeg" });
}

/** The cameras of the device, by name. Browsers name them only after one was opened. */
export async function cameras() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter(({ kind, label, deviceId }) => kind === "videoinput" && label && deviceId);
}
