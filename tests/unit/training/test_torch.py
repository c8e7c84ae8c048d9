from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[3] / "requirements" / "torch.txt"


@pytest.mark.skipif(not find_spec("torch"), reason="PyTorch is not here: `make train-test` runs the tests that need it")
def test_pytorch_is_the_one_that_is_required() -> None:
    assert f"torch=={version('torch').split('+', maxsplit=1)[0]}" in REQUIREMENTS.read_text().splitlines()
