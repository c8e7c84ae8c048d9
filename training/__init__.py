"""How the models were made, from data to manifest. Never imported by the service."""

import os

# ONNX Runtime reads this when it is imported; without it, it reports its use.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
