"""What is wrong with a model, for its operator; a client never sees it."""

from __future__ import annotations


class BadModel(Exception):
    """A model that cannot serve. The message is one sentence that names the model and what is wrong with it."""
