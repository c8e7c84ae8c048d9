from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training import networks
from training.config import Network
from training.ensemble import Ensemble, MirrorAverage

# Parameters of torchvision's networks with their thousand classes, and the width that its last layer reads.
PUBLISHED = {
    "efficientnet_b0": (5_288_548, 1280),
    "efficientnet_b2": (9_109_994, 1408),
    "mobilenet_v3_large": (5_483_032, 1280),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_networks_of_imagenet_have_as_many_parameters_as_published(name: str) -> None:
    whole, width = PUBLISHED[name]
    body = sum(parameter.numel() for parameter in networks.build(Network(name=name)).body())
    assert body + (width + 1) * 1000 == whole


@pytest.mark.parametrize("name", ["facenet", "efficientnet_lite0", *PUBLISHED])
def test_grey_faces_give_both_heads(name: str) -> None:
    network = networks.build(Network(name=name)).eval()
    with torch.inference_mode():
        logits = network(torch.full((2, 1, 64, 64), 128.0))
    assert logits.ferplus.shape == (2, 8)
    assert logits.fer2013.shape == (2, 7)


def test_weights_of_a_file_are_loaded_into_the_body(tmp_path: Path) -> None:
    donor = networks.build(Network(name="mobilenet_v3_large"))
    weights = {name: value for name, value in donor.state_dict().items() if not name.startswith("fer")}
    weights["classifier.3.weight"] = torch.zeros(1000, 1280)
    path = tmp_path / "weights.pth"
    torch.save(weights, path)
    network = networks.build(Network(name="mobilenet_v3_large", weights=str(path)))
    for ours, theirs in zip(network.body(), donor.body(), strict=True):
        assert torch.equal(ours, theirs)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(networks.build(Network(name="efficientnet_b0")).state_dict(), path)
    with pytest.raises(ValueError, match="another network"):
        networks.build(Network(name="efficientnet_b2", weights=str(path)))


def test_the_weights_of_lite0_are_taken_in_their_order(tmp_path: Path) -> None:
    donor = networks.build(Network(name="efficientnet_lite0"))
    body = [value for name, value in donor.state_dict().items() if not name.startswith("fer")]
    weights = {f"_other.{place}": value for place, value in enumerate(body)}
    path = tmp_path / "weights.pth"
    torch.save({**weights, "_fc.weight": torch.zeros(1000, 1280)}, path)
    network = networks.build(Network(name="efficientnet_lite0", weights=str(path)))
    assert sum(parameter.numel() for parameter in network.body()) == 4_652_008 - 1281 * 1000
    for ours, theirs in zip(network.body(), donor.body(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_finished_run_is_trained_on_whole(tmp_path: Path) -> None:
    donor = networks.build(Network(name="efficientnet_lite0"))
    torch.save(donor.state_dict(), tmp_path / "weights.pt")
    network = networks.build(Network(name="efficientnet_lite0", weights=str(tmp_path / "weights.pt")))
    assert torch.equal(network.ferplus.weight, donor.ferplus.weight)


def test_blocks_with_fewer_inner_channels_are_smaller() -> None:
    whole, slim = (networks.build(Network(inner=inner)) for inner in (1.0, 0.5))
    sizes = [sum(parameter.numel() for parameter in network.parameters()) for network in (whole, slim)]
    assert 0.48 < sizes[1] / sizes[0] < 0.56


def test_unknown_networks_are_named() -> None:
    with pytest.raises(ValueError, match="resnet"):
        networks.build(Network(name="resnet"))


def test_an_ensemble_returns_the_mean_of_its_members() -> None:
    members = [networks.build(Network(widths=widths, depths=(0, 1))).eval() for widths in ((8, 16), (8, 32))]
    faces = torch.rand(3, 1, 48, 48) * 255
    with torch.inference_mode():
        whole = Ensemble(members).eval()(faces)
        alone = [member(faces) for member in members]
    for head in ("ferplus", "fer2013"):
        mean = sum(getattr(logits, head) for logits in alone) / len(alone)
        torch.testing.assert_close(getattr(whole, head), mean)


def test_mirror_averaging_returns_the_mean_with_exact_maps() -> None:
    network = networks.build(Network(widths=(8, 16), depths=(0, 1))).eval()
    faces = torch.rand(3, 1, 48, 48) * 255
    with torch.inference_mode():
        whole = MirrorAverage(network).eval()
        found, maps = whole(faces), whole.feature_map(faces)
        straight, mirrored = network(faces), network(faces.flip(3))
    for head in ("ferplus", "fer2013"):
        torch.testing.assert_close(getattr(found, head), (getattr(straight, head) + getattr(mirrored, head)) / 2)
    torch.testing.assert_close(maps.mean((2, 3)) @ network.ferplus.weight.T + network.ferplus.bias, found.ferplus)
    assert not torch.equal(maps, network.feature_map(faces))


def test_an_ensemble_of_unlike_networks_is_refused() -> None:
    with pytest.raises(ValueError, match="one size"):
        Ensemble([networks.build(Network()), networks.build(Network(name="efficientnet_b0"))])


def test_facenet_loads_its_own_weights(tmp_path: Path) -> None:
    donor = networks.build(Network())
    path = tmp_path / "weights.pt"
    torch.save(donor.state_dict(), path)
    network = networks.build(Network(weights=str(path)))
    for name, value in donor.state_dict().items():
        assert torch.equal(value, network.state_dict()[name]), name


def test_a_deeper_network_grown_from_a_shallower_one_gives_the_same_output(tmp_path: Path) -> None:
    donor = networks.build(Network(widths=(8, 16), depths=(0, 1))).eval()
    path = tmp_path / "weights.pt"
    torch.save(donor.state_dict(), path)
    grown = networks.build(Network(widths=(8, 16), depths=(1, 3), weights=str(path))).eval()
    assert len(list(grown.parameters())) > len(list(donor.parameters()))
    faces = torch.rand(3, 1, 48, 48) * 255
    with torch.inference_mode():
        assert torch.equal(grown(faces).ferplus, donor(faces).ferplus)


def test_a_shallower_network_does_not_grow_from_a_deeper_one(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save(networks.build(Network(widths=(8, 16), depths=(0, 3))).state_dict(), path)
    with pytest.raises(ValueError, match="deeper network"):
        networks.build(Network(widths=(8, 16), depths=(1, 2), weights=str(path)))
