"""The label orders of the data, and the mapping between them."""

from __future__ import annotations

FERPLUS = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
"""The emotions of FER+, in the order of its vote columns."""

TAGS = (*FERPLUS, "unknown", "not a face")
"""All options of the FER+ taggers, in the order of the columns."""

FER2013 = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The seven original labels, which are also the served labels, in this order."""

SERVED_FROM_FERPLUS = tuple(FERPLUS.index(label) for label in FER2013)
"""Columns of a FER+ row that give the served labels; contempt is left out and the rest renormalised."""
