"""One step of training.

On a GPU it is recorded once as a CUDA graph and replayed: to launch its kernels one by one takes longer than they run.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor

from training.heads import Logits, TwoHeaded
from training.muon import Muon

_UNRECORDED: Final = 3
"""Steps that run as usual before one is recorded: they choose the convolution algorithms and create all buffers."""


class Average:
    """An exponential moving average of the weights of a network; it is what a run keeps.

    The decay is lower at first: ``lag`` sets how much. With a lag of 2 it is the plain mean of all steps, until
    ``decay`` limits it.
    """

    def __init__(self, network: TwoHeaded, decay: float, lag: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay
        self._lag = lag
        self._updates = 0
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values(), strict=True))
        self._floats = [pair for pair in pairs if pair[0].dtype.is_floating_point]
        self._counts = [pair for pair in pairs if not pair[0].dtype.is_floating_point]
        self._share = torch.zeros((), device=pairs[0][0].device)

    def advance(self) -> None:
        """Sets the share of the next step in the average."""
        self._updates += 1
        self._share.fill_(1 - min(self._decay, (1 + self._updates) / (self._lag + self._updates)))

    @torch.no_grad()
    def follow(self) -> None:
        """Moves the average towards the network as it is."""
        kept, live = ([pair[place].detach() for pair in self._floats] for place in (0, 1))
        moved = torch._foreach_sub(live, kept)
        torch._foreach_mul_(moved, self._share)
        torch._foreach_add_(kept, moved)
        for counted, count in self._counts:
            counted.copy_(count)

    def state(self) -> dict[str, Any]:
        return {"network": self.network.state_dict(), "updates": self._updates}

    def restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self._updates = state["updates"]


class Step:
    """Trains a network on one batch a call."""

    def __init__(
        self,
        forward: Callable[[Tensor], Logits],
        optimizer: Muon,
        average: Average,
        fer2013_weight: float,
        *,
        recorded: bool,
    ) -> None:
        self._forward = forward
        self._optimizer = optimizer
        self._average = average
        self._fer2013_weight = fer2013_weight
        self._recorded = recorded
        self.forget()

    def forget(self) -> None:
        """Drops the recording; called when the size of the faces or the trained part of the network changes."""
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: tuple[Tensor, ...] = ()
        self._loss = torch.empty(0)
        self._done = 0

    def __call__(self, faces: Tensor, votes: Tensor, original: Tensor) -> Tensor:
        """The loss on a batch, which the next call may overwrite; rows of zeros in a target do not count."""
        batch = (faces, votes, original)
        self._average.advance()
        self._done += 1
        if not self._recorded:
            return self._train(*batch)
        if self._done <= _UNRECORDED:
            return self._beside(batch)
        if self._graph is None:
            self._record(batch)
        for fixed, given in zip(self._inputs, batch, strict=True):
            fixed.copy_(given)
        assert self._graph is not None
        self._graph.replay()
        return self._loss

    def _train(self, faces: Tensor, votes: Tensor, original: Tensor) -> Tensor:
        with torch.autocast(faces.device.type, torch.bfloat16, cache_enabled=not self._recorded):
            logits = self._forward(faces)
        loss = soft_cross_entropy(logits.ferplus.float(), votes)
        loss = loss + self._fer2013_weight * soft_cross_entropy(logits.fer2013.float(), original)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._average.follow()
        return loss.detach()

    def _beside(self, batch: tuple[Tensor, ...]) -> Tensor:
        """A step on a stream of its own, as recordings need it."""
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            loss = self._train(*batch)
        torch.cuda.current_stream().wait_stream(stream)
        return loss

    def _record(self, batch: tuple[Tensor, ...]) -> None:
        self._inputs = tuple(values.clone() for values in batch)
        self._optimizer.zero_grad(set_to_none=True)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._loss = self._train(*self._inputs)


def soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over the faces that have a target; rows of zeros do not count."""
    return -(targets * logits.log_softmax(dim=1)).sum() / targets.sum().clamp_min(1.0)
