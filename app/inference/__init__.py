"""Arrays to probabilities. Knows ONNX and manifests; knows no HTTP and no faces."""
