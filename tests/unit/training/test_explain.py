"""Heatmaps by every method, on networks whose important pixels or whose gradients are known."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from app.inference.classifier import Classifier, load_classifier
from app.inference.session import SessionSpec
from benchmarks import explanations, explanations_page
from tests.models import make_brightness_model
from tests.unit.training.synthetic import write_data
from training import __main__, export, gradients, heatmaps, networks
from training.config import Network, Run
from training.gradients import ServedNetwork
from training.heatmaps import Target
from training.model_folder import publish

# Of shap, when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:The set_.* function:PendingDeprecationWarning")

CPU = SessionSpec(("cpu",))
HAPPY = Path(__file__).parents[3] / "sample_images" / "happy_sample.jpg"
NO_FACE = HAPPY.with_name("no_face.jpg")
RANDOM = np.random.default_rng(7)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    # Compiling takes longer than what is compiled here.
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    for name in ("RISE_MASKS", "LIME_SAMPLES", "SHAP_EVALUATIONS"):
        monkeypatch.setattr(heatmaps, name, 120)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random network, beside that of its run."""
    folder = tmp_path_factory.mktemp("explained")
    torch.manual_seed(3)
    run = Run(name="tiny", network=Network(widths=(8, 16), depths=(0, 2)))
    network = networks.build(run.network)
    for weights in network.parameters():
        weights.data += 0.1 * torch.randn_like(weights)
    network.eval()
    manifest = export.make_manifest([run], network, "tiny", "1.0.0")
    publish(folder / "models" / "tiny", export.to_onnx(export.Served(network, 0.5)), manifest)
    (folder / "kept").mkdir()
    (folder / "kept" / "tiny.run.json").write_text(json.dumps(dataclasses.asdict(run)))
    return folder


@pytest.fixture
def model(tiny: Path) -> Classifier:
    return load_classifier(tiny / "models" / "tiny", CPU)


@pytest.fixture
def network(tiny: Path) -> ServedNetwork:
    return gradients.load_network(tiny / "models" / "tiny", tiny / "kept")


def crops(count: int) -> list[NDArray[np.uint8]]:
    return list(np.random.default_rng(3).integers(0, 256, (count, 48, 48, 1), np.uint8).repeat(3, axis=3))


def test_the_network_computes_what_the_shipped_file_does(network: ServedNetwork, model: Classifier) -> None:
    found = gradients.agreement(network, model, crops(8))
    assert found.holds
    assert (found.faces, found.same_label) == (8, 1)
    assert found.largest_difference < 1e-4


def test_another_network_is_found_out(network: ServedNetwork, model: Classifier) -> None:
    network.get_buffer("biases").copy_(torch.arange(7.0))
    assert not gradients.agreement(network, model, crops(8)).holds


@pytest.mark.parametrize("label", [0, 3])
def test_grad_cam_of_the_logit_is_the_class_activation_map(
    network: ServedNetwork, model: Classifier, label: int
) -> None:
    target = Target(model, crops(1)[0], label)
    found = gradients.grad_cam(network, target)
    expected = heatmaps.served("cam")(target, RANDOM)
    assert found.max() > 0
    np.testing.assert_allclose(found / found.max(), expected, atol=1e-3)


def test_grad_cam_plus_plus_weights_channels_by_their_positive_slopes(
    network: ServedNetwork, model: Classifier
) -> None:
    found = gradients.grad_cam_plus_plus(network, Target(model, crops(1)[0], 3))
    tensor = torch.from_numpy(model.prepare(crops(1)))
    maps = network.network.feature_map(tensor)[0].numpy().astype(np.float64)
    slopes = network.get_buffer("weights")[3].numpy().astype(np.float64) / maps[0].size
    shares = slopes**2 / (2 * slopes**2 + maps.sum((1, 2)) * slopes**3)
    weights = maps[0].size * shares * np.maximum(slopes, 0)
    np.testing.assert_allclose(found, np.maximum(np.tensordot(weights, maps, 1), 0), rtol=1e-3, atol=1e-5)


def test_integrated_gradients_sum_to_the_difference_from_the_flat_face(
    network: ServedNetwork, model: Classifier
) -> None:
    (crop,) = crops(1)
    target = Target(model, crop, 3)
    found = gradients.integrated_gradients(network, target)
    flat = np.broadcast_to(target.colour, crop.shape).copy()
    with torch.inference_mode():
        face, blank = network(torch.from_numpy(model.prepare([crop, flat])))[:, 3].tolist()
    assert found.sum() == pytest.approx(face - blank, rel=0.05)


@pytest.mark.parametrize("name", ["rise", "lime", "shap_partition", "shap_kernel"])
@pytest.mark.parametrize(("row", "column"), [(0, 1), (1, 0)])
def test_what_makes_a_face_look_happy_is_shown(tmp_path: Path, name: str, row: int, column: int) -> None:
    model = load_classifier(make_brightness_model(tmp_path / "default", temperature=4.0), CPU)
    crop = np.full((48, 48, 3), 100, np.uint8)
    crop[24 * row : 24 * row + 24, 24 * column : 24 * column + 24] = 255
    grid = heatmaps.methods(model)[name](Target(model, crop, 3), np.random.default_rng(1))
    fine = np.asarray(Image.fromarray(grid).resize((48, 48), Image.Resampling.NEAREST))
    quarters = {(y, x): fine[24 * y : 24 * y + 24, 24 * x : 24 * x + 24].mean() for y in (0, 1) for x in (0, 1)}
    assert max(quarters, key=lambda place: quarters[place]) == (row, column)


def test_the_parts_of_shap_sum_to_the_difference_from_the_flat_face(tmp_path: Path) -> None:
    model = load_classifier(make_brightness_model(tmp_path / "default", temperature=4.0), CPU)
    target = Target(model, crops(1)[0] // 2 + 110, 3)
    face, flat = target.probabilities_with(np.stack([np.ones((48, 48)), np.zeros((48, 48))]))
    for method in (heatmaps.shap_partition, heatmaps.shap_kernel):
        assert method(target, RANDOM).sum() == pytest.approx(face - flat, abs=1e-3)


def explain(tiny: Path, *arguments: str) -> None:
    __main__.main(["explain", "--model", str(tiny / "models" / "tiny"), "--kept", str(tiny / "kept"), *arguments])


def test_a_sheet_shows_a_face_by_every_method(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    explain(tiny, str(HAPPY), "--label", "happy", "--to", str(tmp_path / "new" / "sheet.png"))
    assert "12 maps of happy" in capsys.readouterr().out
    sheet = np.asarray(Image.open(tmp_path / "new" / "sheet.png").convert("RGB")).astype(int)
    assert sheet.shape[1] > sheet.shape[0] / 2 > 300
    # More than grey: the maps have colours.
    assert (sheet.max(axis=2) - sheet.min(axis=2) > 60).mean() > 0.1


def test_a_model_without_its_run_is_explained_without_gradients(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    explain(tiny, str(HAPPY), "--to", str(tmp_path / "sheet.png"), "--kept", str(tmp_path))
    out = capsys.readouterr().out
    assert "Without gradients" in out
    assert "9 maps" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([str(NO_FACE)], "No face was found in .*no_face.jpg."),
        (["nowhere.jpg"], "nowhere.jpg cannot be read: No such file or directory."),
        ([__file__], "test_explain.py: This is not a picture|test_explain.py: "),
        ([str(HAPPY), "--label", "bored"], "no label of that name. It has angry, disgust"),
    ],
)
def test_bad_input_is_one_sentence(tiny: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        explain(tiny, *arguments, "--to", str(tmp_path / "sheet.png"))
    assert not (tmp_path / "sheet.png").exists()


def test_a_damaged_model_is_one_sentence(tiny: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "models" / "tiny"
    damaged.mkdir(parents=True)
    (damaged / "manifest.json").write_bytes((tiny / "models" / "tiny" / "manifest.json").read_bytes())
    (damaged / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(SystemExit, match="Model tiny: "):
        explain(tmp_path, str(HAPPY), "--to", str(tmp_path / "sheet.png"))


def test_the_comparison_goes_on_where_it_was_stopped_and_writes_its_page(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA", str(write_data(tmp_path / "data")))
    monkeypatch.setattr(explanations, "ROOT", tiny)
    monkeypatch.setattr(gradients, "KEPT", tiny / "kept")
    monkeypatch.setattr(explanations_page, "DOCUMENT", tmp_path / "explanations.md")
    monkeypatch.setattr(explanations_page, "IMAGES", tmp_path / "images")
    results = tmp_path / "results.jsonl"
    common = ["--model", "tiny", "--checked", "1", "--workers", "1", "--results", str(results)]

    explanations.main([*common, "--faces", "1", "--no-page"])
    explanations.main([*common, "--faces", "2", "--repeats", "1"])

    out = capsys.readouterr().out
    assert (out.count("face 1 of"), out.count("face 2 of 2")) == (1, 1)
    assert len(results.read_text().splitlines()) == 3
    page = (tmp_path / "explanations.md").read_text()
    assert "over 2 faces" in page
    assert [line.count("|") for line in page.splitlines() if line.startswith("| SHAP, kernel ")] == [8]
    assert page.count("| `contrast` |") == 2
    assert sorted(each.name for each in (tmp_path / "images").iterdir()) == [
        "explanations-average.png",
        "explanations-curves.png",
        "explanations-photos.png",
    ]


def test_a_network_that_is_not_the_file_is_not_compared(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradients, "KEPT", tiny / "kept")
    monkeypatch.setattr(gradients, "MOST_MEAN_DIFFERENCE", -1)
    with pytest.raises(SystemExit, match="differ too much"):
        explanations.check_network(tiny / "models" / "tiny", crops(2))
