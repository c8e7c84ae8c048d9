"""A sheet of small faces: what was let in, by label, and what was refused, by reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data import SIDE

_COLUMNS: Final = 20
_ROWS: Final = 3
_CAPTION: Final = 18
_GAP: Final = 2

Faces = Sequence[NDArray[np.uint8]]


def write(path: Path, groups: Sequence[tuple[str, Faces]]) -> None:
    """Writes the groups under each other. A group shows at most three rows, and its caption says of how many."""
    parts = [part for title, faces in groups for part in _group(title, faces)]
    sheet = np.vstack(parts) if parts else np.full((SIDE, SIDE), 255, np.uint8)
    path.write_bytes(cv2.imencode(".png", sheet)[1].tobytes())


def _group(title: str, faces: Faces) -> list[NDArray[np.uint8]]:
    """The caption of a group, and its rows."""
    shown = _spread(faces)
    caption = np.full((_CAPTION, _COLUMNS * (SIDE + _GAP)), 255, np.uint8)
    text = f"{title}: {len(faces)}" + (f", of which {len(shown)} are shown" if len(shown) < len(faces) else "")
    cv2.putText(caption, text, (2, _CAPTION - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0,), 1, cv2.LINE_AA)
    return [caption, *(_row(shown[start : start + _COLUMNS]) for start in range(0, len(shown), _COLUMNS))]


def _spread(faces: Faces) -> Faces:
    """As many faces as a group shows, evenly spread over all."""
    most = _ROWS * _COLUMNS
    if len(faces) <= most:
        return faces
    return [faces[place] for place in np.linspace(0, len(faces) - 1, most).astype(int)]


def _row(faces: Faces) -> NDArray[np.uint8]:
    row = np.full((SIDE + _GAP, _COLUMNS * (SIDE + _GAP)), 255, np.uint8)
    for place, face in enumerate(faces):
        left = place * (SIDE + _GAP)
        row[:SIDE, left : left + SIDE] = face
    return row
