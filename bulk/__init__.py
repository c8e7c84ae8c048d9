"""Whole archives of pictures and video, read by the pipeline of the service and written as tables."""
