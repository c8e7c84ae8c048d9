from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from training.quantize import compare, fold_average_pools

LABELS = np.array([0] * 100 + [1] * 20 + [2] * 300)


def predictions(wrong: dict[int, int]) -> np.ndarray:
    """The labels, with a number of wrong predictions for some labels."""
    given = LABELS.copy()
    for label, count in wrong.items():
        given[np.flatnonzero(label == LABELS)[:count]] = 6
    return given


def test_a_lossless_quantisation_is_accepted() -> None:
    assert compare(LABELS, LABELS, LABELS).reason is None


def test_a_large_loss_of_accuracy_is_refused() -> None:
    loss = compare(LABELS, predictions({0: 1, 2: 1}), LABELS)
    assert loss.accuracy == pytest.approx(2 / 420)
    assert loss.reason is not None


def test_a_label_may_lose_two_points_or_one_face() -> None:
    before = predictions({2: 3})
    assert compare(before, predictions({1: 1, 2: 2}), LABELS).reason is None
    reason = compare(before, predictions({0: 3, 2: 0}), LABELS).reason
    assert reason is not None
    assert "angry" in reason


def pooled_network(stride: int = 2, readers: int = 1) -> onnx.ModelProto:
    """An average pool of 2 x 2 pixels with a number of 1 x 1 convolutions behind it."""
    random = np.random.default_rng(3)
    nodes = [helper.make_node("AveragePool", ["image"], ["pooled"], kernel_shape=[2, 2], strides=[stride, stride])]
    constants = []
    for number in range(readers):
        weights = random.normal(size=(5, 3, 1, 1)).astype(np.float32)
        constants.append(numpy_helper.from_array(weights, f"weights{number}"))
        nodes.append(helper.make_node("Conv", ["pooled", f"weights{number}"], [f"out{number}"], kernel_shape=[1, 1]))
    given = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 8, 8])
    outputs = [helper.make_tensor_value_info(f"out{number}", TensorProto.FLOAT, None) for number in range(readers)]
    graph = helper.make_graph(nodes, "pooled", [given], outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def answer(model: onnx.ModelProto) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    image = np.random.default_rng(4).normal(size=(2, 3, 8, 8)).astype(np.float32)
    result: np.ndarray = session.run(None, {"image": image})[0]
    return result


def test_a_pool_before_a_pointwise_convolution_is_merged_into_it() -> None:
    before = answer(pooled_network())
    folded = fold_average_pools(pooled_network())
    assert [node.op_type for node in folded.graph.node] == ["Conv"]
    np.testing.assert_allclose(answer(folded), before, atol=1e-6)


@pytest.mark.parametrize(
    "network", [pooled_network(stride=1), pooled_network(readers=2)], ids=["overlaps", "is shared"]
)
def test_other_pools_are_kept(network: onnx.ModelProto) -> None:
    before = answer(network)
    folded = fold_average_pools(network)
    assert "AveragePool" in [node.op_type for node in folded.graph.node]
    np.testing.assert_array_equal(answer(folded), before)
