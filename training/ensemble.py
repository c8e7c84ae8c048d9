"""Several finished networks as one, and mirror averaging."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from training.heads import TwoHeaded


class Ensemble(TwoHeaded):
    """Returns the mean of the logits of its members.

    The heads of each member are linear in its feature vector. So the heads of the ensemble are one matrix over the
    concatenated vectors, and its class activation maps are exact.
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


class MirrorAverage(TwoHeaded):
    """Returns the mean of the logits of a network for a face and for its mirror image.

    Its feature map is the mean of both maps, the second mirrored back. So the heads of the network apply to it.
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
    if not all(member.linear_heads for member in members):
        raise ValueError("the heads must be linear in the mean of the map")
