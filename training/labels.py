"""The orders in which the data names its labels, and what goes between them."""

from __future__ import annotations

FERPLUS = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
"""The emotions of FER+, in the order of its vote columns."""

TAGS = (*FERPLUS, "unknown", "not a face")
"""All that a tagger of FER+ could vote for, in the order of the columns."""

FER2013 = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The seven original labels; the served model answers with these, in this order."""

SERVED_FROM_FERPLUS = tuple(FERPLUS.index(label) for label in FER2013)
"""Columns of a FER+ row that give the served labels; contempt is left out and the rest renormalised."""
