"""The HTTP interface. Knows FastAPI; knows no pixels and no tensors."""
