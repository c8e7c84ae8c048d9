"""What every user of the service has to know."""

from __future__ import annotations

from typing import Final

NOTICE: Final = (
    "Visage reads the apparent expression of a face: what a picture shows, not what somebody feels. Do not use it to "
    "decide about people in hiring, policing, medicine or schooling; at work and in education the EU AI Act forbids "
    "it. Wherever it is used, tell the people whose faces are read. Pictures are read in memory and never stored."
)
