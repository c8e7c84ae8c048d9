"""Bytes to faces. Knows pixels; knows no HTTP and no ONNX session of a classifier."""
