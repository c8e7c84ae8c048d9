"""The base class of all networks: one body and two heads."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from training.labels import FER2013, FERPLUS


class Logits(NamedTuple):
    """Both heads of a network: (n, 8) over the FER+ labels, (n, 7) over the original ones."""

    ferplus: Tensor
    fer2013: Tensor


class TwoHeaded(nn.Module):
    """A network with two heads. It takes faces in 0–255, (n, 1 or ``channels``, side, side), and normalises them.

    ``side`` is the input size when served. With ``linear_heads`` both heads are linear in the mean of the last map, so
    class activation maps are exact.
    """

    side: ClassVar[int]
    channels: ClassVar[int]
    linear_heads: ClassVar[bool] = True

    dropout: nn.Dropout
    ferplus: nn.Linear
    fer2013: nn.Linear

    def feature_map(self, x: Tensor) -> Tensor:
        """The last map before pooling, (n, features, h, w)."""
        raise NotImplementedError

    def pool(self, maps: Tensor) -> Tensor:
        """The last map to the input of the heads, (n, features)."""
        return maps.mean((2, 3))

    def forward(self, x: Tensor) -> Logits:
        pooled = self.dropout(self.pool(self.feature_map(x)))
        return Logits(self.ferplus(pooled), self.fer2013(pooled))

    def heads(self) -> list[nn.Parameter]:
        return [*self.ferplus.parameters(), *self.fer2013.parameters()]

    def body(self) -> list[nn.Parameter]:
        heads = {id(parameter) for parameter in self.heads()}
        return [parameter for parameter in self.parameters() if id(parameter) not in heads]

    def _add_heads(self, features: int, dropout: float) -> None:
        self.dropout = nn.Dropout(dropout)
        self.ferplus = nn.Linear(features, len(FERPLUS))
        self.fer2013 = nn.Linear(features, len(FER2013))
