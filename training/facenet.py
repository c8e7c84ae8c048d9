"""The small residual network of the default model."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.heads import TwoHeaded


class SqueezeExcite(nn.Module):
    """Channel attention: scales each channel of a map by a factor computed from the pooled map."""

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // reduction, 1)
        self.expand = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        scale = x.mean((2, 3), keepdim=True)
        scale = self.expand(functional.relu(self.reduce(scale)))
        gated: Tensor = x * scale.sigmoid()
        return gated


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with channel attention, and a shortcut that pools before it projects.

    Between the convolutions are ``inner`` channels.
    """

    def __init__(self, channels_in: int, inner: int, channels: int, stride: int, drop: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, inner, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.attend = SqueezeExcite(channels)
        self.drop = drop
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride) if stride > 1 else nn.Identity(),
                nn.Conv2d(channels_in, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
            )
        nn.init.zeros_(self.norm2.weight)

    def forward(self, x: Tensor) -> Tensor:
        branch = functional.relu(self.norm1(self.conv1(x)))
        branch = self.attend(self.norm2(self.conv2(branch)))
        if self.training and self.drop > 0:
            keep = torch.rand(x.shape[0], 1, 1, 1, device=x.device) >= self.drop
            branch = branch * keep.to(branch.dtype) / (1 - self.drop)
        return functional.relu(self.shortcut(x) + branch)


class FaceNet(TwoHeaded):
    """A small residual network for grey faces; each stage after the first halves the side."""

    side: ClassVar[int] = 48
    channels: ClassVar[int] = 1

    def __init__(
        self,
        widths: tuple[int, ...] = (32, 64, 128, 256),
        depths: tuple[int, ...] = (1, 2, 2, 2),
        dropout: float = 0.2,
        stochastic_depth: float = 0.1,
        inner: float = 1.0,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU())
        blocks: list[nn.Module] = []
        total, index, channels = sum(depths), 0, widths[0]
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for position in range(depth):
                stride = 2 if stage > 0 and position == 0 else 1
                index += 1
                drop = stochastic_depth * index / total
                blocks.append(ResidualBlock(channels, int(width * inner), width, stride, drop))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self._add_heads(channels, dropout)

    def grow_from(self, weights: dict[str, Tensor]) -> None:
        """Loads the weights of a network with the same widths and at most the same depths.

        Missing blocks are the last of their stage. They start as the identity, so both networks give the same output.
        """
        own, theirs = self.state_dict(), _by_stage(weights)
        for block, names in _by_stage(own).items():
            own.update({own_name: weights[name] for own_name, name in zip(names, theirs.pop(block, ()), strict=False)})
        if theirs:
            raise ValueError(f"the blocks {sorted(theirs)} belong to a deeper network")
        own.update({name: value for name, value in weights.items() if not name.startswith("blocks.")})
        self.load_state_dict(own)

    def feature_map(self, x: Tensor) -> Tensor:
        maps: Tensor = self.blocks(self.stem((x - 128.0) / 64.0))
        return maps


def _by_stage(weights: dict[str, Tensor]) -> dict[tuple[int, int], list[str]]:
    """The weight names of each block, by its width and its position among blocks of that width."""
    blocks: dict[int, list[str]] = {}
    for name in weights:
        if name.startswith("blocks."):
            blocks.setdefault(int(name.split(".")[1]), []).append(name)
    placed: dict[tuple[int, int], list[str]] = {}
    for index, names in sorted(blocks.items()):
        width = len(weights[f"blocks.{index}.conv2.weight"])
        placed[width, sum(before == width for before, _ in placed)] = names
    return placed
