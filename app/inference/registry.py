"""The models of a running service by name, and what is wrong with those that cannot serve."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from app.config import BadSettings, Settings
from app.errors import ModelNotFound, NotReady, Overloaded
from app.inference.classifier import Classifier, load_classifier
from app.inference.manifest import MANIFEST_FILE, BadModel
from app.inference.session import ProviderUnavailable, SessionSpec
from app.system import trim_memory

logger = logging.getLogger("visage.models")


@dataclass(frozen=True, slots=True)
class _Models:
    """The outcome of loading every model once."""

    classifiers: dict[str, Classifier] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def close(self) -> None:
        for classifier in self.classifiers.values():
            classifier.runner.close()


class Registry:
    """The models of a running service. Any thread may read it, also during a reload; reading never blocks.

    ``find`` lists the names of the models. ``load`` loads and checks one, or raises :class:`BadModel`.
    """

    def __init__(self, default_name: str, find: Callable[[], list[str]], load: Callable[[str], Classifier]) -> None:
        self.default_name = default_name
        self._find = find
        self._load = load
        self._reloading = threading.Lock()
        self._models = self._load_all()

    @property
    def ready(self) -> bool:
        """Whether the default model can serve."""
        return self.default_name in self._models.classifiers

    @property
    def names(self) -> tuple[str, ...]:
        """The models that passed their checks: the default, then the others by name."""
        return tuple(self._models.classifiers)

    @property
    def failures(self) -> dict[str, str]:
        """What is wrong with each of the others, in one sentence."""
        return dict(self._models.failures)

    @property
    def classifiers(self) -> tuple[Classifier, ...]:
        """The models themselves, in the order of their names, as one reload left them."""
        return tuple(self._models.classifiers.values())

    def get(self, name: str | None = None) -> Classifier:
        """A model by its name, or the default."""
        name = name or self.default_name
        classifiers = self._models.classifiers
        if name not in classifiers:
            raise NotReady if name == self.default_name else ModelNotFound.among([*classifiers])
        return classifiers[name]

    def reload(self) -> None:
        """Loads and checks all models again, then replaces all at once.

        Raises :class:`BadModel` and changes nothing when the default could serve before and cannot any more, and
        Overloaded while another reload runs. A request that holds a replaced model finishes with it.
        """
        if not self._reloading.acquire(blocking=False):
            raise Overloaded("The models are being loaded already. Wait a moment and try again.", retry_after=5)
        try:
            self._replace()
        finally:
            self._reloading.release()
            # Each thread that loads has a heap of its own, which would keep what the replaced models held.
            trim_memory()

    def close(self) -> None:
        """Ends the threads of the models."""
        self._models.close()

    def _replace(self) -> None:
        before = self._models
        try:
            after = self._load_all()
        except ProviderUnavailable as error:
            raise BadModel(str(error)) from None
        if self.default_name in before.classifiers and self.default_name not in after.classifiers:
            after.close()
            raise BadModel(after.failures[self.default_name])
        self._models = after
        before.close()

    def _load_all(self) -> _Models:
        models = _Models()
        for name in (self.default_name, *sorted(set(self._find()) - {self.default_name})):
            try:
                models.classifiers[name] = self._load(name)
            except ProviderUnavailable:
                models.close()
                raise
            except Exception as error:
                # A folder's name may have bytes that are no text, which no response can hold.
                shown = name if name.isprintable() else ascii(name)
                fault = (
                    str(error)
                    if isinstance(error, BadModel)
                    else (f"Model {name}: it cannot be loaded ({type(error).__name__}).")
                )
                models.failures[shown] = fault = fault.replace(name, shown)
                logger.error("%s", fault)
        return models


def load_registry(settings: Settings) -> Registry:
    """Every model under ``MODELS_DIR``, checked. Raises :class:`BadSettings` when a forbidden fallback would occur."""
    folder = settings.models_dir
    spec = SessionSpec(settings.execution_providers, settings.strict_providers)
    try:
        return Registry(
            settings.default_model, lambda: _model_names(folder), lambda name: load_classifier(folder / name, spec)
        )
    except ProviderUnavailable as error:
        raise BadSettings(str(error)) from None


def _model_names(folder: Path) -> list[str]:
    """Folders with a manifest, and those that cannot be looked into; the face detector's has none."""
    entries = folder.iterdir() if folder.is_dir() else ()
    return [entry.name for entry in entries if _may_hold_manifest(entry)]


def _may_hold_manifest(folder: Path) -> bool:
    try:
        (folder / MANIFEST_FILE).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
