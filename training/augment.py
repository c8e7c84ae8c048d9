"""What a face may go through and still show the same expression, on whole batches at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far each change may go; every probability is per face."""

    roll_degrees: float = 15.0
    scale: float = 0.15
    shift: float = 0.08
    stretch: float = 0.06
    contrast: float = 0.4
    brightness: float = 40.0
    gamma: float = 0.3
    noise: float = 10.0
    noise_probability: float = 0.15
    coarse_probability: float = 0.15
    erase_probability: float = 0.4
    erase_largest: float = 0.25
    mixup_probability: float = 0.3
    mixup_share: float = 0.3


class Augmenter:
    """Applies an :class:`Augmentation` with random numbers of its own, so that an epoch can be repeated."""

    def __init__(self, settings: Augmentation, generator: torch.Generator) -> None:
        self._settings = settings
        self._generator = generator

    def __call__(self, faces: Tensor, side: int) -> Tensor:
        """(n, 1, h, w) in 0–255 to (n, 1, side, side) in 0–255."""
        faces = self._moved(faces, side)
        faces = self._coarsened(faces)
        faces = self._relit(faces)
        return self._erased(faces)

    def mixing(self, count: int) -> tuple[Tensor, Tensor]:
        """Weights (n,) and partners (n,) of mixup; a weight of one leaves a face alone."""
        settings = self._settings
        partners = torch.randperm(count, generator=self._generator)
        weight = 1 - self._uniform(count, 0, settings.mixup_share)
        return torch.where(self._chance(settings.mixup_probability, count), weight, torch.ones(count)), partners

    def _uniform(self, count: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return torch.rand(count, generator=self._generator) * (high - low) + low

    def _chance(self, probability: float, count: int) -> Tensor:
        return self._uniform(count) < probability

    def _moved(self, faces: Tensor, side: int) -> Tensor:
        """Mirrored, rolled, scaled, stretched and shifted in one resampling."""
        settings, count = self._settings, len(faces)
        angle = self._uniform(count, -1, 1) * math.radians(settings.roll_degrees)
        scale = torch.exp(self._uniform(count, -1, 1) * settings.scale)
        stretch = torch.exp(self._uniform(count, -1, 1) * settings.stretch)
        mirror = torch.where(self._chance(0.5, count), -1.0, 1.0)
        cos, sin = torch.cos(angle), torch.sin(angle)
        matrix = torch.empty(count, 2, 3)
        matrix[:, 0, 0] = cos * scale * stretch * mirror
        matrix[:, 0, 1] = -sin * scale / stretch
        matrix[:, 1, 0] = sin * scale * stretch * mirror
        matrix[:, 1, 1] = cos * scale / stretch
        matrix[:, 0, 2] = self._uniform(count, -1, 1) * 2 * settings.shift
        matrix[:, 1, 2] = self._uniform(count, -1, 1) * 2 * settings.shift
        grid = functional.affine_grid(matrix, [count, 1, side, side], align_corners=False)
        return functional.grid_sample(faces, grid, padding_mode="reflection", align_corners=False)

    def _coarsened(self, faces: Tensor) -> Tensor:
        """Some faces lose detail, as small faces in a photo have."""
        settings = self._settings
        chosen = self._chance(settings.coarse_probability, len(faces))
        factor = float(self._uniform(1, 0.4, 0.8))
        side = faces.shape[-1]
        small = functional.interpolate(faces, size=max(int(side * factor), 8), mode="area")
        coarse = functional.interpolate(small, size=side, mode="bilinear", align_corners=False)
        return torch.where(chosen[:, None, None, None], coarse, faces)

    def _relit(self, faces: Tensor) -> Tensor:
        """Contrast, brightness, gamma and sensor noise."""
        settings, count = self._settings, len(faces)

        def column(values: Tensor) -> Tensor:
            return values[:, None, None, None]

        gamma = torch.exp(self._uniform(count, -1, 1) * settings.gamma)
        faces = 255 * (faces / 255).clamp_min(1e-4) ** column(gamma)
        contrast = torch.exp(self._uniform(count, -1, 1) * settings.contrast)
        brightness = self._uniform(count, -1, 1) * settings.brightness
        mean = faces.mean((1, 2, 3), keepdim=True)
        faces = (faces - mean) * column(contrast) + mean + column(brightness)
        strength = self._uniform(count, 0, settings.noise) * self._chance(settings.noise_probability, count)
        faces = faces + torch.randn(faces.shape, generator=self._generator) * column(strength)
        return faces.clamp(0, 255)

    def _erased(self, faces: Tensor) -> Tensor:
        """A rectangle of some faces is covered with one grey."""
        settings, count, side = self._settings, len(faces), faces.shape[-1]
        area = self._uniform(count, 0.02, settings.erase_largest)
        aspect = torch.exp(self._uniform(count, -1, 1))
        height, width = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
        top = self._uniform(count) * (1 - height)
        left = self._uniform(count) * (1 - width)
        place = (torch.arange(side) + 0.5) / side
        rows = (place >= top[:, None]) & (place < (top + height)[:, None])
        columns = (place >= left[:, None]) & (place < (left + width)[:, None])
        covered = (
            rows[:, :, None] & columns[:, None, :] & self._chance(settings.erase_probability, count)[:, None, None]
        )
        grey = self._uniform(count, 0, 255)[:, None, None, None]
        return torch.where(covered[:, None], grey, faces)
