"""Settings for all tests."""

from __future__ import annotations

from hypothesis import settings

# The time of an example depends on the machine, so it has no limit.
settings.register_profile("visage", deadline=None)
settings.load_profile("visage")
