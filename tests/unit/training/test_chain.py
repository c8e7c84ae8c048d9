"""Every step from data to card on synthetic data: each accepts the output of the one before."""

from __future__ import annotations

import dataclasses
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from app.inference.classifier import load_classifier
from app.inference.manifest import load_manifest
from app.inference.session import SessionSpec
from tests.unit.training.synthetic import write_data
from training import __main__, config, export, networks, recover, report
from training.config import Network, Run
from training.data import Faces
from training.ensemble import Ensemble, MirrorAverage
from training.heads import TwoHeaded
from training.labels import SERVED_FROM_FERPLUS
from training.shipped import Shipped, session

ROOT = Path(__file__).parents[3]

FACES = np.random.default_rng(3).integers(0, 256, (8, 48, 48), dtype=np.uint8)


@dataclass(frozen=True)
class Chain:
    folder: Path

    @property
    def float_model(self) -> Path:
        return self.folder / "float" / "tiny"

    @property
    def model(self) -> Path:
        return self.folder / "models" / "tiny"


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    made = Chain(tmp_path_factory.mktemp("chain"))
    data = ["--data", str(write_data(made.folder / "data"))]
    prepared = ["--prepared", str(made.folder / "prepared")]
    tiny = ["name=tiny", "batch=16", "network.widths=[8, 16]", "network.depths=[0, 2]", "schedule.epochs=1"]
    run, kept = made.folder / "runs", made.folder / "figures" / "tiny.valid.json"
    exported = ["--run", str(run / "tiny"), "--model", str(made.float_model)]
    places = ["--models", str(made.model.parent), "--figures", str(kept.parent), "--runs", str(run)]
    for verb, *options in (
        ["prepare", *data, "--to", prepared[1], "--report", str(made.folder / "report")],
        ["train", *prepared, "--runs", str(run), *tiny],
        ["export", *data, *prepared, *exported, "--fer2013-share", "0.5"],
        ["quantize", *data, *prepared, "--model", str(made.float_model), "--to", str(made.model)],
        ["calibrate", *data, "--model", str(made.model)],
        ["evaluate", *data, "--model", str(made.model), "--split", "valid", "--write", "--to", str(kept)],
        ["report", *places, "--to", str(made.folder / "report"), "--split", "valid"],
    ):
        __main__.main([verb, *options])
    return made


def test_the_service_loads_the_finished_model(chain: Chain) -> None:
    classifier = load_classifier(chain.model, SessionSpec())
    crops = [np.repeat(face[:, :, None], 3, axis=2) for face in FACES]
    scores = classifier.infer(classifier.prepare(crops))
    assert scores.probabilities.shape == (8, 7)
    assert scores.probabilities.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize(("kind", "tolerance"), [("float_model", 1e-4), ("model", 1e-2)])
def test_class_weights_explain_the_logits(chain: Chain, kind: str, tolerance: float) -> None:
    """Except for rounding: integers round the mean of a map too."""
    classifier = load_classifier(getattr(chain, kind), SessionSpec())
    assert classifier.class_weights is not None
    crops = [np.repeat(face[:, :, None], 3, axis=2) for face in FACES]
    tensor = classifier.prepare(crops)
    features = classifier.infer(tensor, with_features=True).features
    assert features is not None
    logits = Shipped(getattr(chain, kind)).infer(FACES).served
    bias = logits - features.mean(axis=(2, 3)) @ classifier.class_weights.T
    assert bias == pytest.approx(np.tile(bias[:1], (8, 1)), abs=tolerance)


def test_the_graph_and_the_network_give_the_same_logits(chain: Chain) -> None:
    _, network = export.load_shipped(chain.folder / "runs" / "tiny")
    model = (chain.float_model / "model.onnx").read_bytes()
    assert export.compare(model, export.Served(network, 0.5), FACES).holds
    with torch.inference_mode():
        logits = network(torch.from_numpy(FACES)[:, None].float())
    outputs = Shipped(chain.float_model).infer(FACES)
    assert outputs.ferplus == pytest.approx(logits.ferplus.numpy(), abs=1e-4)
    assert outputs.fer2013 == pytest.approx(logits.fer2013.numpy(), abs=1e-4)


def shipped_as(chain: Chain, folder: Path, **changes: Any) -> tuple[list[Run], TwoHeaded]:
    shutil.copytree(chain.folder / "runs" / "tiny", folder)
    run = config.read(folder / "run.json")
    (folder / "run.json").write_text(json.dumps(dataclasses.asdict(dataclasses.replace(run, **changes))))
    return export.load_shipped(folder)


def test_a_mirror_averaged_graph_gives_the_same_for_a_mirror_image(chain: Chain, tmp_path: Path) -> None:
    _, network = shipped_as(chain, tmp_path / "tiny", mirror_average=True)
    model = export.to_onnx(export.Served(network))
    assert export.compare(model, export.Served(network), FACES).holds
    straight, mirrored = (
        session(model, 1).run(["logits"], {"image": np.ascontiguousarray(faces)[:, None].astype(np.float32)})[0]
        for faces in (FACES, FACES[:, :, ::-1])
    )
    assert straight == pytest.approx(mirrored, abs=1e-4)


def test_a_run_is_exported_as_ensemble_with_the_runs_it_names(chain: Chain, tmp_path: Path) -> None:
    alone = Shipped(chain.float_model).infer(FACES)
    _, other = shipped_as(chain, tmp_path / "other", name="other")
    other.ferplus.bias.data += 1
    torch.save(other.state_dict(), tmp_path / "other" / "weights.pt")

    runs, network = shipped_as(chain, tmp_path / "tiny", ensemble=(str(tmp_path / "other"),))

    assert [run.name for run in runs] == ["tiny", "other"]
    with torch.inference_mode():
        logits = network(torch.from_numpy(FACES)[:, None].float())
    assert logits.ferplus.numpy() == pytest.approx(alone.ferplus + 0.5, abs=1e-4)
    assert logits.fer2013.numpy() == pytest.approx(alone.fer2013, abs=1e-4)
    manifest = export.make_manifest(runs, network, "tiny", "1.0.0")
    assert manifest.architecture.count("widths 8-16") == 2


def test_networks_are_recovered_from_a_file(chain: Chain, tmp_path: Path) -> None:
    _, other = shipped_as(chain, tmp_path / "other", name="other")
    for weights in other.parameters():
        weights.data += 0.1 * torch.randn_like(weights)
    torch.save(other.state_dict(), tmp_path / "other" / "weights.pt")
    runs, network = shipped_as(chain, tmp_path / "tiny", ensemble=(str(tmp_path / "other"),), mirror_average=True)
    faces = torch.from_numpy(FACES)[:, None].float()

    graph = onnx.load_from_string(export.to_onnx(export.Served(network)))
    recovered = MirrorAverage(Ensemble(recover.recover(graph, runs, faces))).eval()

    with torch.inference_mode():
        for found, expected in zip(recovered(faces), network(faces), strict=True):
            assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-3)


def test_training_can_continue_from_a_shipped_file(chain: Chain, tmp_path: Path) -> None:
    prepared, kept = str(chain.folder / "prepared"), str(chain.folder / "figures")
    places = ["--kept", kept, "--prepared", prepared, "--runs", str(tmp_path)]
    __main__.main(["recover", "--model", str(chain.model), *places])

    _, network = export.load_shipped(tmp_path / "tiny")
    faces = torch.from_numpy(FACES)[:, None].float()
    with torch.inference_mode():
        found = network(faces).ferplus.numpy()
    assert found == pytest.approx(Shipped(chain.model).infer(FACES).ferplus, abs=0.05)
    with torch.inference_mode():
        # In training mode batch norms use the statistics of their input, from which they were recovered.
        network.train()
        network.dropout.eval()
        live = network(torch.from_numpy(Faces.load(Path(prepared) / "train.npz").images)[:, None].float())
        network.eval()
        still = network(torch.from_numpy(Faces.load(Path(prepared) / "train.npz").images)[:, None].float())
    assert live.ferplus.numpy() == pytest.approx(still.ferplus.numpy(), abs=0.2)


def test_logit_adjustment_raises_rare_labels_of_the_served_head_only(chain: Chain) -> None:
    _, network = export.load_shipped(chain.folder / "runs" / "tiny")
    faces = Faces.load(chain.folder / "prepared" / "train.npz")
    frequency = faces.votes[:, list(SERVED_FROM_FERPLUS)].sum(axis=0)
    plain, raised = (
        session(export.to_onnx(export.Served(network, 0.0, export.offsets(faces, factor))), 1).run(
            ["logits", "ferplus"], {"image": FACES[:, None].astype(np.float32)}
        )
        for factor in (0.0, 0.5)
    )
    expected = np.log(frequency / frequency.sum()) / -2
    assert raised[0] - plain[0] == pytest.approx(np.tile(expected, (8, 1)), abs=1e-4)
    assert raised[1] == pytest.approx(plain[1], abs=1e-5)


def test_the_graph_is_folded_and_of_its_opset(chain: Chain) -> None:
    model = onnx.load(chain.float_model / "model.onnx")
    assert model.opset_import[0].version >= 17
    operators = {node.op_type for node in model.graph.node}
    assert not operators & {"BatchNormalization", "Softmax", "ReduceMean"}


def test_the_shipped_file_has_integers_of_reduced_range(chain: Chain) -> None:
    model = onnx.load(chain.model / "model.onnx")
    if "QuantizeLinear" not in {node.op_type for node in model.graph.node}:
        pytest.skip("quantisation lost too much on these few faces, and the float model is kept")
    weights = [onnx.numpy_helper.to_array(i) for i in model.graph.initializer if i.data_type == onnx.TensorProto.INT8]
    assert max(int(np.abs(values.astype(int)).max()) for values in weights if values.ndim == 4) <= 64


def test_figures_are_in_the_manifest_and_on_the_card(chain: Chain) -> None:
    manifest = load_manifest(chain.model)
    figures = json.loads((chain.folder / "figures" / "tiny.valid.json").read_text())
    accuracy = figures["ferplus7_plurality"]["accuracy"]["value"]
    assert manifest.metrics["ferplus7_plurality_accuracy"] == pytest.approx(accuracy, abs=1e-4)
    card = (chain.model / "CARD.md").read_text()
    assert f"{100 * accuracy:.1f} %" in card
    assert "python -m training evaluate --model models/tiny --split valid" in card


def test_figures_of_another_file_are_not_reported(chain: Chain, tmp_path: Path) -> None:
    """Those of the model before, say, after make ship."""
    kept = (chain.folder / "figures" / "tiny.valid.json").read_text()
    (tmp_path / "tiny.valid.json").write_text(kept.replace(load_manifest(chain.model).sha256, "0" * 64))
    card = (chain.model / "CARD.md").read_bytes()
    where = ["--models", str(chain.model.parent), "--figures", str(tmp_path), "--to", str(tmp_path / "report")]
    with pytest.raises(SystemExit, match=r"tiny\.valid\.json has the figures of another file"):
        report.main([*where, "--split", "valid"])
    assert (chain.model / "CARD.md").read_bytes() == card


def test_the_committed_cards_and_report_have_the_committed_figures(tmp_path: Path) -> None:
    for model in ("default", "accurate"):
        (tmp_path / model).mkdir()
        shutil.copy(ROOT / "models" / model / "manifest.json", tmp_path / model)
    figures = ROOT / "docs" / "training" / "figures"
    where = ["--models", str(tmp_path), "--figures", str(figures), "--runs", str(tmp_path), "--to", str(tmp_path)]
    report.main(where)
    assert (tmp_path / "report.md").read_bytes() == (ROOT / "docs" / "training" / "report.md").read_bytes()
    for model in ("default", "accurate"):
        assert (tmp_path / model / "CARD.md").read_bytes() == (ROOT / "models" / model / "CARD.md").read_bytes()


def test_every_plot_of_the_reports_is_there(chain: Chain) -> None:
    report = chain.folder / "report"
    for page in ("data.md", "report.md"):
        plots = [part.split(")")[0] for part in (report / page).read_text().split("](plots/")[1:]]
        assert plots
        for plot in plots:
            assert (report / "plots" / plot).stat().st_size < 60_000


@pytest.mark.parametrize("name", ["efficientnet_b0", "mobilenet_v3_large"])
def test_networks_of_imagenet_are_exported_too(name: str) -> None:
    network = networks.build(Network(name=name)).eval()
    model = export.to_onnx(export.Served(network))
    picture = np.zeros((1, 3, network.side, network.side), np.float32)
    (logits,) = session(model).run(["logits"], {"image": picture})
    assert logits.shape == (1, 7)
    outputs = {output.name for output in onnx.load_from_string(model).graph.output}
    assert ("features" in outputs) == network.linear_heads


def test_unknown_verbs_get_the_list() -> None:
    with pytest.raises(SystemExit, match="calibrate"):
        __main__.main(["fly"])
