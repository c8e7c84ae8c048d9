"""Several finished networks as one, or one that looks twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from training.heads import TwoHeaded


class Ensemble(TwoHeaded):
    """Answers with the mean of its members' logits.

    The heads of a member are linear in its description of a face, so the heads of them all are one matrix over the
    descriptions side by side, and a class activation map of the whole is as exact as one of a member.
    """

    def __init__(self, members: Sequence[TwoHeaded]) -> None:
        super().__init__()
        if len({(member.side, member.channels) for member in members}) != 1:
            raise ValueError("the members of an ensemble take pictures of one size and kind")
        _check_linear(members)
        self.side, self.channels = members[0].side, members[0].channels  # type: ignore[misc]
        self._members = nn.ModuleList(members)
        self._add_heads(sum(member.ferplus.in_features for member in members), 0.0)
        for name in ("ferplus", "fer2013"):
            heads = [getattr(member, name) for member in members]
            with torch.no_grad():
                getattr(self, name).weight.copy_(torch.cat([head.weight for head in heads], dim=1) / len(heads))
                getattr(self, name).bias.copy_(torch.stack([head.bias for head in heads]).mean(0))

    def feature_map(self, x: Tensor) -> Tensor:
        members = cast("Iterable[TwoHeaded]", self._members)
        return torch.cat([member.feature_map(x) for member in members], dim=1)


class BothWays(TwoHeaded):
    """Answers with the mean of a network's logits for a face and for its mirror image.

    Its map is the mean of both, the second turned back, so the network's heads read it as they read their own.
    """

    def __init__(self, network: TwoHeaded) -> None:
        super().__init__()
        _check_linear([network])
        self.side, self.channels = network.side, network.channels  # type: ignore[misc]
        self._network = network
        self.dropout, self.ferplus, self.fer2013 = network.dropout, network.ferplus, network.fer2013

    def feature_map(self, x: Tensor) -> Tensor:
        maps = self._network.feature_map(torch.cat([x, x.flip(3)]))
        straight, mirrored = maps.reshape(2, -1, *maps.shape[1:]).unbind(0)
        return (straight + mirrored.flip(3)) / 2


def _check_linear(members: Sequence[TwoHeaded]) -> None:
    if not all(member.maps_explain for member in members):
        raise ValueError("the heads must be linear in the mean of the map")
