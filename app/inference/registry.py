"""Which models there are, which of them are in memory, and what is wrong with the others."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from app.config import BadSettings, Settings
from app.errors import ModelNotFound, NotReady
from app.inference.classifier import Classifier, load_classifier
from app.inference.errors import BadModel
from app.inference.manifest import MANIFEST_FILE, Manifest
from app.inference.session import ProviderUnavailable, SessionSpec

log = logging.getLogger(__name__)

Loader = Callable[[str], Classifier]
"""Loads and checks the model of a name, or raises :class:`BadModel`."""


class _Shelf:
    """One generation of models: all were checked when it was filled, and at most ``room`` of them are in memory.

    The default is always in memory. Of the others the one that was asked for longest ago makes room.
    """

    def __init__(self, names: list[str], default_name: str, loader: Loader, room: int) -> None:
        self.manifests: dict[str, Manifest] = {}
        self.failures: dict[str, str] = {}
        self._default_name = default_name
        self._loader = loader
        self._room = room
        self._held: OrderedDict[str, Classifier] = OrderedDict()
        self._lock = threading.Lock()
        self._loading: dict[str, threading.Lock] = {name: threading.Lock() for name in names}
        for name in names:
            if (model := self._load(name)) is not None:
                self.manifests[name] = model.manifest
                if name == default_name or len(self._held) < room:
                    self._held[name] = model
                else:
                    model.close()

    @property
    def ready(self) -> bool:
        return self._default_name in self.manifests

    @property
    def loaded(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(name for name in self.manifests if name in self._held)

    def get(self, name: str) -> Classifier | None:
        """The model, loaded again if it had to make room; none if there is none or it no longer passes."""
        if name not in self.manifests:
            return None
        with self._lock:
            if (model := self._held.get(name)) is not None:
                self._held.move_to_end(name)
                return model
        with self._loading[name]:
            with self._lock:
                model = self._held.get(name)
            if model is None:
                try:
                    model = self._load(name)
                except ProviderUnavailable as error:
                    self._fail(name, error)
                if model is not None:
                    self._hold(name, model)
        return model

    def close(self) -> None:
        with self._lock:
            models = list(self._held.values())
        for model in models:
            model.close()

    def _load(self, name: str) -> Classifier | None:
        try:
            model = self._loader(name)
        except BadModel as error:
            self._fail(name, error)
            return None
        self.failures.pop(name, None)
        return model

    def _fail(self, name: str, error: Exception) -> None:
        log.error("%s", error)
        self.failures[name] = str(error)

    def _hold(self, name: str, model: Classifier) -> None:
        dropped = None
        with self._lock:
            if len(self._held) >= self._room:
                oldest = next((held for held in self._held if held != self._default_name), None)
                dropped = self._held.pop(oldest) if oldest is not None else None
            self._held[name] = model
        if dropped is not None:
            dropped.close()


class Registry:
    """The models of a running service. Any thread may ask it, also while it reloads."""

    def __init__(self, default_name: str, find: Callable[[], list[str]], loader: Loader, room: int) -> None:
        self.default_name = default_name
        self._find = find
        self._loader = loader
        self._room = room
        self._reloading = threading.Lock()
        self._shelf = self._filled()

    @property
    def ready(self) -> bool:
        """Whether the default model passed its checks."""
        return self._shelf.ready

    @property
    def names(self) -> tuple[str, ...]:
        """The models that passed their checks, in memory or not: the default, then the others by name."""
        return tuple(self._shelf.manifests)

    @property
    def loaded(self) -> tuple[str, ...]:
        """Those of them that are in memory."""
        return self._shelf.loaded

    @property
    def manifests(self) -> dict[str, Manifest]:
        """What each of them says of itself."""
        return dict(self._shelf.manifests)

    @property
    def failures(self) -> dict[str, str]:
        """What is wrong with each of the others, in one sentence."""
        return dict(self._shelf.failures)

    def get(self, name: str | None = None) -> Classifier:
        """A model by its name, or the default."""
        shelf = self._shelf
        if name is not None and name != self.default_name:
            if (model := shelf.get(name)) is None:
                raise ModelNotFound
            return model
        if (model := shelf.get(self.default_name)) is None:
            raise NotReady
        return model

    def reload(self) -> None:
        """Checks and loads everything anew, then swaps at once. Raises :class:`BadModel` and changes nothing if
        the default is no longer fit to serve; requests that hold a model of before are answered by it."""
        with self._reloading:
            before = self._shelf
            try:
                shelf = self._filled()
            except ProviderUnavailable as error:
                raise BadModel(str(error)) from None
            if before.ready and not shelf.ready:
                shelf.close()
                raise BadModel(shelf.failures[self.default_name])
            self._shelf = shelf
            before.close()

    def close(self) -> None:
        self._shelf.close()

    def _filled(self) -> _Shelf:
        others = sorted(set(self._find()) - {self.default_name})
        return _Shelf([self.default_name, *others], self.default_name, self._loader, self._room)


def load_registry(settings: Settings) -> Registry:
    """Every model under ``MODELS_DIR``, checked. Raises :class:`BadSettings` when a fallback was forbidden."""
    folder = settings.models_dir
    spec = SessionSpec(settings.execution_providers, settings.strict_providers)

    def load(name: str) -> Classifier:
        return load_classifier(folder / name, spec)

    try:
        return Registry(settings.default_model, lambda: _model_names(folder), load, settings.max_loaded_models)
    except ProviderUnavailable as error:
        raise BadSettings(str(error)) from None


def _model_names(folder: Path) -> list[str]:
    """Folders with a manifest; the face detector's has none."""
    return [path.parent.name for path in folder.glob(f"*/{MANIFEST_FILE}")]
