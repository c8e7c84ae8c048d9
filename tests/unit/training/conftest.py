"""Does not collect tests that import PyTorch where it is missing; ``test_torch.py`` is then skipped."""

from __future__ import annotations

from importlib.util import find_spec

_NEED_TORCH = [
    "test_augment.py",
    "test_chain.py",
    "test_config.py",
    "test_dlib_resnet.py",
    "test_explain.py",
    "test_faceres.py",
    "test_join.py",
    "test_muon.py",
    "test_networks.py",
    "test_train.py",
]

collect_ignore = [] if find_spec("torch") else _NEED_TORCH
