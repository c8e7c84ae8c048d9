"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes depends on the machine, and is no test's business.
settings.register_profile("visage", deadline=None)
settings.load_profile("visage")
