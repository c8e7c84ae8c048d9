"""The Muon optimiser: orthogonalised momentum steps for convolutions that a batch norm follows."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

_ITERATIONS = 3
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic that moves singular values towards 1 within a few iterations (Jordan, 2024)."""


class Muon(torch.optim.Optimizer):
    """SGD with Nesterov momentum. Steps of groups with ``orthogonal`` are orthogonalised first.

    For such a group the rate is the step size as a share of the norm of the weights. A batch norm follows them, so
    their scale has no effect: their mean row norm is kept at 1, and they have no weight decay. The rate of each group,
    its ``share`` of the rate that is set, is a tensor beside its weights, so that a recorded CUDA graph follows it.
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float, momentum: float, muon_momentum: float) -> None:
        defaults = {"share": 1.0, "momentum": momentum, "weight_decay": 0.0, "orthogonal": False}
        groups = [{**group, "momentum": muon_momentum} if group.get("orthogonal") else group for group in groups]
        super().__init__([group for group in groups if group["params"]], defaults)
        for group in self.param_groups:
            group["lr"] = torch.zeros((), device=group["params"][0].device)
        self.set_rate(lr)

    def set_rate(self, rate: float) -> None:
        """Sets the rate of every group to its ``share`` of this one."""
        for group in self.param_groups:
            group["lr"].fill_(rate * group["share"])

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            moved = [weights for weights in group["params"] if weights.grad is not None]
            if not moved:
                continue
            steps = self._nesterov(moved, group)
            if group["orthogonal"]:
                steps = _orthogonal(steps)
                for weights in moved:
                    weights.mul_(len(weights) ** 0.5 / weights.norm())
            torch._foreach_mul_(steps, group["lr"])
            torch._foreach_sub_(moved, steps)

    def _nesterov(self, moved: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
        gradients = [cast("Tensor", weights.grad) for weights in moved]
        gradients = list(torch._foreach_add(gradients, moved, alpha=group["weight_decay"]))
        for weights in moved:
            if not self.state[weights]:
                self.state[weights]["momentum_buffer"] = torch.zeros_like(weights)
        buffers = [self.state[weights]["momentum_buffer"] for weights in moved]
        torch._foreach_mul_(buffers, group["momentum"])
        torch._foreach_add_(buffers, gradients)
        return list(torch._foreach_add(gradients, buffers, alpha=group["momentum"]))


def _orthogonal(steps: list[Tensor]) -> list[Tensor]:
    """Approximately the nearest matrices with orthonormal rows or columns; matrices of one shape are one batch."""
    found: dict[int, Tensor] = {}
    for shape in {step.shape for step in steps}:
        places = [place for place, step in enumerate(steps) if step.shape == shape]
        matrices = orthogonalised(torch.stack([steps[place].reshape(shape[0], -1) for place in places]))
        found.update({place: matrix.view(shape) for place, matrix in zip(places, matrices, strict=True)})
    return [found[place] for place in range(len(steps))]


def orthogonalised(matrices: Tensor) -> Tensor:
    """Orthogonalises matrices (n, rows, columns) by Newton-Schulz iterations."""
    wide: Tensor = matrices if matrices.shape[1] <= matrices.shape[2] else matrices.mT
    wide = wide / wide.flatten(1).norm(dim=1).clamp_min(1e-12)[:, None, None]
    first, third, fifth = _COEFFICIENTS
    # An iteration multiplies from the left by a polynomial of the Gram matrix. These polynomials commute, so only the
    # Gram matrix, which is much smaller, is updated.
    gram = wide @ wide.mT
    one = product = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    for _ in range(_ITERATIONS):
        factor = first * one + third * gram + fifth * gram @ gram
        product = factor @ product
        gram = factor @ gram @ factor
    wide = product @ wide
    return wide if matrices.shape[1] <= matrices.shape[2] else wide.mT
