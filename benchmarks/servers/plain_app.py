"""A FastAPI app as in tutorials: an async route that does everything on the event loop.

Pillow decodes at full size, MediaPipe finds the face, and an EfficientNet-B0 in fp32 classifies it at 224 pixels with
ONNX Runtime's default options.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import mediapipe as mp
import numpy as np
import onnxruntime as ort
from fastapi import FastAPI, File, HTTPException, UploadFile
from mediapipe.tasks.python import BaseOptions
from mediapipe.tasks.python.vision import FaceDetector, FaceDetectorOptions
from PIL import Image

LABELS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)

app = FastAPI()
session = ort.InferenceSession(os.environ["PLAIN_MODEL"], providers=["CPUExecutionProvider"])
weights = Path(os.environ["MODELS_DIR"]) / "face_detector" / "face_detection_short_range.tflite"
detector = FaceDetector.create_from_options(
    FaceDetectorOptions(base_options=BaseOptions(model_asset_path=str(weights)), min_detection_confidence=0.5)
)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/predict")
async def predict(file: UploadFile = File(...)) -> dict[str, Any]:  # noqa: B008
    content = await file.read()
    picture = np.array(Image.open(io.BytesIO(content)).convert("RGB"))
    found = detector.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=picture)).detections
    if not found:
        raise HTTPException(422, "no_face_detected")
    box = found[0].bounding_box
    left, top = max(box.origin_x, 0), max(box.origin_y, 0)
    face = Image.fromarray(picture[top : top + box.height, left : left + box.width]).resize((224, 224))
    tensor = ((np.asarray(face, np.float32) / 255 - MEAN) / DEVIATION).transpose(2, 0, 1)[None]
    logits = session.run(None, {"input": np.ascontiguousarray(tensor)})[0][0]
    odds = np.exp(logits - logits.max())
    probabilities = odds / odds.sum()
    best = int(probabilities.argmax())
    return {
        "emotion": LABELS[best],
        "confidence": float(probabilities[best]),
        "probabilities": dict(zip(LABELS, map(float, probabilities), strict=True)),
        "face_box": [left, top, box.width, box.height],
    }
