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
from app.inference.manifest import MANIFEST_FILE
from app.inference.runner import Raw, Runner, Tensor
from app.inference.session import ProviderUnavailable, SessionSpec

logger = logging.getLogger("visage.models")

Loader = Callable[[str], Classifier]
"""Loads and checks the model of a name, or raises :class:`BadModel`."""


class _Shelf:
    """One generation of models. All were checked when it was filled; at most ``room`` of them stay in memory.

    Of those that are not the default, the one that was used longest ago makes room for another.
    """

    def __init__(self, names: list[str], default_name: str, loader: Loader, room: int) -> None:
        self.models: dict[str, Classifier] = {}
        self.failures: dict[str, str] = {}
        self._default_name = default_name
        self._loader = loader
        self._room = room
        self._runners: OrderedDict[str, Runner] = OrderedDict()
        self._lock = threading.Lock()
        self._loading = {name: threading.Lock() for name in names}
        for name in names:
            self._fill(name)

    @property
    def usable(self) -> tuple[str, ...]:
        return tuple(name for name in self.models if name not in self.failures)

    @property
    def held(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(name for name in self.models if name in self._runners)

    def runner(self, name: str) -> Runner:
        """The runner of a model, loaded again if it had to make room."""
        with self._lock:
            if (runner := self._runners.get(name)) is not None:
                self._runners.move_to_end(name)
                return runner
        with self._loading[name]:
            with self._lock:
                runner = self._runners.get(name)
            if runner is None:
                runner = self._reloaded(name)
                self._hold(name, runner)
        return runner

    def close(self) -> None:
        """Ends what the runners keep running; whoever still uses one is answered."""
        with self._lock:
            runners = list(self._runners.values())
        for runner in runners:
            runner.close()

    def _fill(self, name: str) -> None:
        try:
            model = self._loader(name)
        except BadModel as error:
            self._fail(name, error)
            return
        # What is handed out is light and always there; the runner behind it comes and goes.
        shelved = _ShelvedRunner(self, name, model.providers)
        self.models[name] = Classifier(model.manifest, shelved, model.class_weights)
        if len(self._runners) < self._room:
            self._runners[name] = model.runner
        else:
            model.runner.close()

    def _reloaded(self, name: str) -> Runner:
        try:
            model = self._loader(name)
            if model.manifest != self.models[name].manifest:
                model.runner.close()
                raise BadModel(f"Model {name}: its folder has changed since it was checked; reload the models.")
        except (BadModel, ProviderUnavailable) as error:
            self._fail(name, error)
            raise NotReady from None
        return model.runner

    def _fail(self, name: str, error: Exception) -> None:
        logger.error("%s", error)
        self.failures[name] = str(error)

    def _hold(self, name: str, runner: Runner) -> None:
        dropped = None
        with self._lock:
            if len(self._runners) >= self._room:
                dropped = self._runners.pop(next(held for held in self._runners if held != self._default_name))
            self._runners[name] = runner
        if dropped is not None:
            dropped.close()


class _ShelvedRunner:
    """An :class:`Runner` that takes the real one off the shelf for each run, on the thread that runs it."""

    def __init__(self, shelf: _Shelf, name: str, providers: tuple[str, ...]) -> None:
        self.providers = providers
        self._shelf = shelf
        self._name = name

    def run(self, tensor: Tensor, *, with_features: bool = False) -> Raw:
        return self._shelf.runner(self._name).run(tensor, with_features=with_features)

    def close(self) -> None:
        """Nothing to do: the shelf closes what it holds."""


class Registry:
    """The models of a running service. Any thread may ask it, also while it reloads; asking never waits."""

    def __init__(self, default_name: str, find: Callable[[], list[str]], loader: Loader, room: int) -> None:
        self.default_name = default_name
        self._find = find
        self._loader = loader
        self._room = room
        self._reloading = threading.Lock()
        self._shelf = self._filled()

    @property
    def ready(self) -> bool:
        """Whether the default model can serve."""
        return self.default_name in self._shelf.usable

    @property
    def names(self) -> tuple[str, ...]:
        """The models that passed their checks, in memory or not: the default, then the others by name."""
        return self._shelf.usable

    @property
    def loaded(self) -> tuple[str, ...]:
        """Those of them that are in memory."""
        return self._shelf.held

    @property
    def failures(self) -> dict[str, str]:
        """What is wrong with each of the others, in one sentence."""
        return dict(self._shelf.failures)

    def get(self, name: str | None = None) -> Classifier:
        """A model by its name, or the default."""
        shelf = self._shelf
        name = name or self.default_name
        if name not in shelf.usable:
            raise NotReady if name == self.default_name else ModelNotFound
        return shelf.models[name]

    def reload(self) -> None:
        """Checks and loads everything anew, then swaps at once.

        When the default is no longer fit to serve, nothing changes and :class:`BadModel` says why. A request that
        holds a model of before is answered by it.
        """
        with self._reloading:
            before = self._shelf
            try:
                shelf = self._filled()
            except ProviderUnavailable as error:
                raise BadModel(str(error)) from None
            if self.default_name in before.usable and self.default_name not in shelf.usable:
                shelf.close()
                raise BadModel(shelf.failures[self.default_name])
            self._shelf = shelf
            before.close()

    def close(self) -> None:
        """Ends what the models keep running."""
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
