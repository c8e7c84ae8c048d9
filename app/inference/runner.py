"""What runs the network: tensors in, raw scores out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

LARGEST_PASS = 32
"""Most faces in one pass on a CPU: beyond a few it is no faster, and ONNX Runtime keeps the memory of the largest."""

Tensor = NDArray[np.float32] | NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Raw:
    """What the network said: scores (n, labels), and its last feature map (n, channels, h, w) if asked for."""

    scores: NDArray[Any]
    features: NDArray[np.float32] | None = None

    def part(self, start: int, stop: int, *, with_features: bool) -> Raw:
        features = self.features[start:stop] if with_features and self.features is not None else None
        return Raw(self.scores[start:stop], features)


class Runner(Protocol):
    """Runs tensors of n faces through a network, from any thread."""

    @property
    def providers(self) -> tuple[str, ...]: ...

    def run(self, tensor: Tensor, *, with_features: bool = False) -> Raw: ...

    def close(self) -> None: ...


class SessionRunner:
    """An ONNX Runtime session. ``largest_pass`` is 1 for a network whose batch is fixed to one."""

    def __init__(
        self,
        session: Any,
        providers: tuple[str, ...],
        *,
        scores: str,
        features: str | None,
        largest_pass: int = LARGEST_PASS,
    ) -> None:
        self.providers = providers
        self._session = session
        self._input = session.get_inputs()[0].name
        self._scores = scores
        self._features = features
        self._largest_pass = largest_pass

    def run(self, tensor: Tensor, *, with_features: bool = False) -> Raw:
        names = [self._scores]
        if with_features and self._features is not None:
            names.append(self._features)
        passes = [
            self._session.run(names, {self._input: tensor[start : start + self._largest_pass]})
            for start in range(0, len(tensor), self._largest_pass)
        ]
        outputs = passes[0] if len(passes) == 1 else [np.concatenate(parts) for parts in zip(*passes, strict=True)]
        return Raw(outputs[0], outputs[1] if len(outputs) > 1 else None)

    def close(self) -> None:
        """Nothing to do: the session goes with the last reference."""
