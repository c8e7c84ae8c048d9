"""The logits of a network for faces."""

from __future__ import annotations

import torch
from torch.nn import functional

from training.data import Faces
from training.heads import Logits, TwoHeaded

_BATCH = 256


@torch.inference_mode()
def predict(network: TwoHeaded, faces: Faces, device: torch.device, *, mirrored: bool = False) -> Logits:
    """The logits for faces, or for their mirror images, enlarged to the side of the network; they lie on the CPU."""
    found = []
    network.eval()
    for batch in torch.split(torch.from_numpy(faces.images)[:, None], _BATCH):
        sized = enlarged(batch.to(device).float(), network.side)
        if mirrored:
            sized = sized.flip(3)
        with torch.autocast(device.type, torch.bfloat16):
            logits = network(sized.contiguous(memory_format=torch.channels_last))
        found.append(Logits(*(values.float() for values in logits)))
    return Logits(*(torch.cat(parts).cpu() for parts in zip(*found, strict=True)))


def enlarged(faces: torch.Tensor, side: int) -> torch.Tensor:
    """Faces (n, 1, h, w) at another size, unless they have it."""
    if faces.shape[-1] == side:
        return faces
    return functional.interpolate(faces, size=side, mode="bilinear", align_corners=False)
