from __future__ import annotations

import pytest
import torch

from training.muon import Muon, orthogonalised


@pytest.mark.parametrize("shape", [(3, 16, 40), (2, 40, 16), (1, 8, 8)])
def test_singular_values_of_a_step_are_about_equal(shape: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    strengths = torch.linalg.svdvals(orthogonalised(torch.randn(shape)))
    assert strengths.min() > 0.3
    assert strengths.max() < 1.3


def test_a_zero_gradient_gives_a_zero_step() -> None:
    assert not orthogonalised(torch.zeros(1, 4, 9)).any()


def test_convolutions_keep_their_norm_and_move_by_their_rate() -> None:
    torch.manual_seed(1)
    weights, bias = torch.nn.Parameter(torch.randn(16, 8, 3, 3)), torch.nn.Parameter(torch.zeros(4))
    optimizer = Muon([{"params": [weights], "orthogonal": True}, {"params": [bias]}], 0.01, 0.9, 0.8)
    weights.grad, bias.grad = torch.randn_like(weights), torch.ones(4)
    before = weights.detach() * (4 / weights.detach().norm())

    optimizer.step()

    moved = (weights.detach() - before).norm() / before.norm()
    assert float(moved) == pytest.approx(0.01, rel=0.2)
    torch.testing.assert_close(bias.detach(), torch.full((4,), -0.019))
