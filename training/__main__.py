"""``python -m training VERB``: every step from the data to the card of a model."""

from __future__ import annotations

import importlib
import sys

from app.inference.manifest import BadModel
from training.dataset import MissingData

VERBS = {
    "prepare": "prepare the training arrays from the data folder",
    "faceres": "convert the weights of a package to a start for training",
    "dlib_resnet": "convert the weights of dlib's network to a start for training",
    "synthesize": "let generated faces into training, if they pass every gate",
    "train": "train one network from a config file",
    "join": "join several teachers, and write soft labels for students",
    "folds": "compare runs by five-fold cross-validation",
    "recover": "recover the networks of a shipped file, to continue training",
    "blend": "compare shares of the second head in the served predictions",
    "export": "export a trained network as ONNX file with its manifest",
    "quantize": "quantise the float model",
    "calibrate": "fit the calibration of the shipped file",
    "golden": "write golden vectors beside a shipped file",
    "evaluate": "measure every figure of a shipped file",
    "framing": "compare crops of photos for a shipped file",
    "explain": "draw one face with its heatmaps by every method",
    "report": "write the report and the model cards",
}


def main(arguments: list[str]) -> None:
    if not arguments or arguments[0] not in VERBS:
        lines = "\n".join(f"  {verb:12} {meaning}" for verb, meaning in VERBS.items())
        raise SystemExit(f"usage: python -m training VERB [--help]\n\n{lines}")
    # Imported late: only some verbs need PyTorch.
    try:
        importlib.import_module(f"training.{arguments[0]}").main(arguments[1:])
    except (BadModel, MissingData, FileNotFoundError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main(sys.argv[1:])
