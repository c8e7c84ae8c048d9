"""How the models were made, from data to manifest. Never imported by the service."""

import os

# ONNX Runtime reads this on import; otherwise it sends telemetry.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
