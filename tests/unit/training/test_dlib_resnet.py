"""The start from dlib's network, with a made-up file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from training import dlib_resnet
from training.dlib_resnet import DlibResNet, from_file


def _packed(*sizes: int) -> bytes:
    parts = [b"\x01\x02"]
    for size in sizes:
        data = size.to_bytes((size.bit_length() + 7) // 8, "little")
        parts.append(bytes([len(data)]) + data)
    return b"".join(parts)


def _file(network: DlibResNet) -> tuple[bytes, list[np.ndarray]]:
    """Made-up weights as dlib writes them, and the flat tensors."""
    chance = np.random.default_rng(0)
    data, tensors = b"header", []
    for convolution, _ in network.in_order():
        channels = convolution.out_channels
        kernel = np.append(chance.normal(0, 0.05, convolution.weight.numel()), chance.normal(0, 0.1, channels))
        affine = np.append(chance.normal(1, 0.1, channels), chance.normal(0, 0.1, channels))
        for values in (kernel, affine):
            tensors.append(values.astype("<f4"))
            data += b"con_4" + _packed(len(values), 1, 1, 1) + tensors[-1].tobytes()
    return data, tensors


def test_the_network_computes_what_the_file_says() -> None:
    data, tensors = _file(DlibResNet())
    network = from_file(data).eval()
    faces = torch.rand(2, 1, 150, 150) * 255
    weights, affine = (torch.from_numpy(tensors[place].copy()) for place in (0, 1))
    with torch.no_grad():
        maps = (faces - network.mean) / 256
        maps = functional.conv2d(maps, weights[:-32].view(32, 3, 7, 7), weights[-32:], 2)
        expected = functional.relu(maps * affine[:32, None, None] + affine[32:, None, None])
        found = functional.relu(network.norm(network.stem((faces - network.mean) / 256)))
        features = network.feature_map(faces)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    assert features.shape == (2, 256, 2, 2)


def test_a_file_that_ends_too_early_is_refused() -> None:
    data, _ = _file(DlibResNet())
    with pytest.raises(ValueError, match="before all layers"):
        from_file(data[: len(data) // 2])


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.dat").write_bytes(b"other")
    with pytest.raises(SystemExit, match="is not the file"):
        dlib_resnet.main([str(tmp_path / "other.dat")])
