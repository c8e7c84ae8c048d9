from __future__ import annotations

import torch
from torch.nn import functional

from training import networks, sharpness
from training.config import Network


def test_uphill_the_loss_is_larger_and_afterwards_everything_is_as_before() -> None:
    torch.manual_seed(0)
    network = networks.build(Network(widths=(8, 8), depths=(0, 1), dropout=0.0, stochastic_depth=0.0)).train()
    faces, labels = torch.rand(16, 1, 24, 24) * 255, torch.arange(16) % 8

    def loss() -> torch.Tensor:
        return functional.cross_entropy(network(faces).ferplus, labels)

    here = loss()
    here.backward()  # type: ignore[no-untyped-call]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with sharpness.uphill(network, 0.1):
        assert all(parameter.grad is None for parameter in network.parameters())
        moved = [(value - before[name]).norm() for name, value in network.named_parameters()]
        assert torch.isclose(torch.stack(moved).norm(), torch.tensor(0.1), atol=1e-4)
        assert loss() > here
    for name, value in network.state_dict().items():
        assert "num_batches" in name or torch.equal(value, before[name]), name


def test_without_gradients_nothing_moves() -> None:
    network = networks.build(Network(widths=(8, 8), depths=(0, 1)))
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    with sharpness.uphill(network, 0.1):
        assert all(torch.isfinite(parameter).all() for parameter in network.parameters())
