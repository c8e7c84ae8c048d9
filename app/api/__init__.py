"""The HTTP edge. Knows FastAPI; knows no pixels and no tensors."""
