"""``python -m training VERB``: every step from the data to a model's card."""

from __future__ import annotations

import importlib
import sys

VERBS = {
    "prepare": "the data folder to the arrays that training reads",
    "train": "one network, from a config file",
    "recover": "a shipped file back to the networks it came from, to train on",
    "blend": "what a share of the second head does to the served answers",
    "export": "a trained network to an ONNX file and its manifest",
    "quantize": "the float model to the one that ships",
    "calibrate": "the calibration of the shipped file",
    "evaluate": "every figure of a shipped file",
    "framing": "which crop of a photo suits a shipped file",
    "report": "the report and the model card",
}


def main(arguments: list[str]) -> None:
    if not arguments or arguments[0] not in VERBS:
        lines = "\n".join(f"  {verb:10} {meaning}" for verb, meaning in VERBS.items())
        raise SystemExit(f"usage: python -m training VERB [--help]\n\n{lines}")
    # Only some verbs need PyTorch.
    importlib.import_module(f"training.{arguments[0]}").main(arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
