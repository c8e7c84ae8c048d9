"""Predictions over time: what a stream's frames or a posted series come to. Nothing here keeps a picture."""
