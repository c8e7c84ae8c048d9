"""Visage reads the apparent expression of a face in a photo."""

import os

# ONNX Runtime phones home and writes device ids unless this is set before it is first imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
