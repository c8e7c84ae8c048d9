"""A start from another package's weights."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from training import batch_norms, faceres
from training.faceres import Faceres, from_package


def _package(folder: Path) -> Path:
    """A package's files with made-up weights."""
    chance = np.random.default_rng(0)
    shapes = {"conv1/convolution/merged_input": (3, 3, 3, 32), "conv1_bn/batchnorm_1/sub": (32,)}
    channels = 32
    for block, width in enumerate(faceres._WIDTHS, start=1):
        shapes[f"conv_dw_{block}/depthwise_kernel"] = (3, 3, channels, 1)
        shapes[f"conv_dw_{block}_bn/batchnorm_1/mul"] = (channels,)
        shapes[f"conv_dw_{block}_bn/batchnorm_1/sub"] = (channels,)
        shapes[f"conv_pw_{block}/convolution/merged_input"] = (1, 1, channels, width)
        shapes[f"conv_pw_{block}_bn/batchnorm_1/sub"] = (width,)
        channels = width
    data, entries = b"", []
    for name, shape in shapes.items():
        values = chance.normal(0, 0.1 if "kernel" in name or "input" in name else 1, shape).astype(np.float16)
        data += values.tobytes()
        entries.append({"name": name, "shape": shape, "dtype": "float32", "quantization": {"dtype": "float16"}})
    (folder / "faceres.bin").write_bytes(data)
    manifest = folder / "faceres.json"
    manifest.write_text(json.dumps({"weightsManifest": [{"paths": ["faceres.bin"], "weights": entries}]}))
    return manifest


def test_norms_that_are_set_change_nothing_and_fit_the_faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = _package(tmp_path)
    monkeypatch.setattr(faceres, "SHA256", hashlib.sha256((tmp_path / "faceres.bin").read_bytes()).hexdigest())
    network = from_package(manifest).eval()
    faces = torch.rand(16, 1, 64, 64) * 255
    with torch.no_grad():
        before = network.feature_map(faces)
        batch_norms.unfold(network, faces)
        after = network.feature_map(faces)
        training = network.train().feature_map(faces)
    assert before.std() > 0
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-4)
    # In training a norm uses its batch's statistics, which are those of these faces.
    torch.testing.assert_close(training, before, rtol=1e-2, atol=1e-2)


def test_files_of_another_package_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"faceres\.bin is not the file"):
        from_package(_package(tmp_path))


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(ValueError, match="belong to another network"):
        Faceres().load_start({"stem.0.weight": torch.zeros(1)})


def test_a_run_goes_on_from_a_start() -> None:
    first = Faceres()
    body = {name: value for name, value in first.state_dict().items() if name.startswith("layers.")}
    second = Faceres()
    second.load_start(body)
    torch.testing.assert_close(second.layers[0].weight, first.layers[0].weight)
    torch.testing.assert_close(second.layers[-2].running_mean, first.layers[-2].running_mean)
