"""The networks that can be trained, in plain PyTorch (torchvision has no CPU build everywhere)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.config import Network
from training.labels import FER2013, FERPLUS


class Logits(NamedTuple):
    """Both heads of a network: (n, 8) over the FER+ labels, (n, 7) over the original ones."""

    ferplus: Tensor
    fer2013: Tensor


class SqueezeExcite(nn.Module):
    """Channel attention: a pooled description of the map scales each of its channels."""

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // reduction, 1)
        self.expand = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        scale = x.mean((2, 3), keepdim=True)
        scale = self.expand(F.relu(self.reduce(scale)))
        return x * scale.sigmoid()


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with channel attention beside a shortcut that pools before it projects."""

    def __init__(self, channels_in: int, channels: int, stride: int, drop: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
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
        branch = F.relu(self.norm1(self.conv1(x)))
        branch = self.attend(self.norm2(self.conv2(branch)))
        if self.training and self.drop > 0:
            keep = torch.rand(x.shape[0], 1, 1, 1, device=x.device) >= self.drop
            branch = branch * keep.to(branch.dtype) / (1 - self.drop)
        return F.relu(self.shortcut(x) + branch)


class FaceNet(nn.Module):
    """A small residual network for grey faces; every stage but the first halves the side.

    It takes (n, 1, side, side) in 0–255 and normalises inside, so that nobody downstream can get it wrong.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (32, 64, 128, 256),
        depths: tuple[int, ...] = (1, 2, 2, 2),
        dropout: float = 0.2,
        stochastic_depth: float = 0.1,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU())
        blocks: list[nn.Module] = []
        total, index, channels = sum(depths), 0, widths[0]
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for position in range(depth):
                stride = 2 if stage > 0 and position == 0 else 1
                index += 1
                blocks.append(ResidualBlock(channels, width, stride, stochastic_depth * index / total))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(dropout)
        self.ferplus = nn.Linear(channels, len(FERPLUS))
        self.fer2013 = nn.Linear(channels, len(FER2013))
        self.features = channels

    def feature_map(self, x: Tensor) -> Tensor:
        """The last map before pooling, (n, features, h, w)."""
        maps: Tensor = self.blocks(self.stem((x - 128.0) / 64.0))
        return maps

    def forward(self, x: Tensor) -> Logits:
        pooled = self.dropout(self.feature_map(x).mean((2, 3)))
        return Logits(self.ferplus(pooled), self.fer2013(pooled))


def build(settings: Network) -> nn.Module:
    """The network that a run names."""
    if settings.name != "facenet":
        raise ValueError(f"no such network: {settings.name}")
    return FaceNet(settings.widths, settings.depths, settings.dropout, settings.stochastic_depth)
