"""Visage reads the apparent expression of a face in a photo."""

__version__ = "0.1.0"
