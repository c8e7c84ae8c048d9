"""Augmentation of whole batches: changes after which a face still shows the same expression."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Augmentation:
    """The limits of each change; every probability is per face."""

    roll_degrees: float = 15.0
    scale: float = 0.15
    shift: float = 0.08
    stretch: float = 0.06
    contrast: float = 0.4
    brightness: float = 40.0
    gamma: float = 0.3
    noise: float = 10.0
    noise_probability: float = 0.15
    low_resolution_probability: float = 0.15
    erase_probability: float = 0.4
    erase_largest: float = 0.25
    mixup_probability: float = 0.3
    mixup_share: float = 0.3


class Augmenter:
    """Applies an :class:`Augmentation` with its own random generator, so that an epoch can be repeated.

    It works on the device of the generator, where the faces have to be too.
    """

    def __init__(self, settings: Augmentation, generator: torch.Generator) -> None:
        self._settings = settings
        self._generator = generator
        self._device = generator.device

    def __call__(self, faces: Tensor, side: int, strength: Tensor) -> Tensor:
        """(n, 1, h, w) in 0–255 to (n, 1, side, side) in 0–255.

        ``strength`` (n,) scales the limits and the probabilities for each face.
        """
        faces = self._moved(faces, side, strength)
        faces = self._downsampled(faces, strength)
        faces = self._relit(faces, strength)
        return self._erased(faces, strength)

    def mixing(self, strength: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (n,) and partners (n,) of mixup; a weight of one leaves a face unchanged."""
        settings, count = self._settings, len(strength)
        partners = torch.randperm(count, generator=self._generator, device=self._device)
        weight = 1 - self._uniform(count, 0, settings.mixup_share)
        mixed = self._chance(settings.mixup_probability * strength, count)
        return torch.where(mixed, weight, 1.0), partners

    def _uniform(self, count: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return torch.rand(count, generator=self._generator, device=self._device) * (high - low) + low

    def _spread(self, strength: Tensor) -> Tensor:
        """A random number for each face, between minus and plus its strength."""
        return self._uniform(len(strength), -1, 1) * strength

    def _chance(self, probability: float | Tensor, count: int) -> Tensor:
        return self._uniform(count) < probability

    def _moved(self, faces: Tensor, side: int, strength: Tensor) -> Tensor:
        """Mirrors, rolls, scales, stretches and shifts the faces in one resampling."""
        settings, count = self._settings, len(faces)
        angle = self._spread(strength) * math.radians(settings.roll_degrees)
        scale = torch.exp(self._spread(strength) * settings.scale)
        stretch = torch.exp(self._spread(strength) * settings.stretch)
        mirror = torch.where(self._chance(0.5, count), -1.0, 1.0)
        cos, sin = torch.cos(angle), torch.sin(angle)
        matrix = torch.empty(count, 2, 3, device=self._device)
        matrix[:, 0, 0] = cos * scale * stretch * mirror
        matrix[:, 0, 1] = -sin * scale / stretch
        matrix[:, 1, 0] = sin * scale * stretch * mirror
        matrix[:, 1, 1] = cos * scale / stretch
        matrix[:, 0, 2] = self._spread(strength) * 2 * settings.shift
        matrix[:, 1, 2] = self._spread(strength) * 2 * settings.shift
        grid = functional.affine_grid(matrix, [count, 1, side, side], align_corners=False)
        return functional.grid_sample(faces, grid, padding_mode="reflection", align_corners=False)

    def _downsampled(self, faces: Tensor, strength: Tensor) -> Tensor:
        """Lowers the resolution of some faces, as of small faces in a photo."""
        settings = self._settings
        chosen = self._chance(settings.low_resolution_probability * strength, len(faces))
        factor = float(self._uniform(1, 0.4, 0.8))
        side = faces.shape[-1]
        small = functional.interpolate(faces, size=max(int(side * factor), 8), mode="area")
        downsampled = functional.interpolate(small, size=side, mode="bilinear", align_corners=False)
        return torch.where(chosen[:, None, None, None], downsampled, faces)

    def _relit(self, faces: Tensor, strength: Tensor) -> Tensor:
        """Changes contrast, brightness and gamma, and adds sensor noise."""
        settings, count = self._settings, len(faces)

        def column(values: Tensor) -> Tensor:
            return values[:, None, None, None]

        gamma = torch.exp(self._spread(strength) * settings.gamma)
        faces = 255 * (faces / 255).clamp_min(1e-4) ** column(gamma)
        contrast = torch.exp(self._spread(strength) * settings.contrast)
        brightness = self._spread(strength) * settings.brightness
        mean = faces.mean((1, 2, 3), keepdim=True)
        faces = (faces - mean) * column(contrast) + mean + column(brightness)
        noise = self._uniform(count, 0, settings.noise) * self._chance(settings.noise_probability * strength, count)
        sensor = torch.randn(faces.shape, generator=self._generator, device=self._device)
        faces = faces + sensor * column(noise)
        return faces.clamp(0, 255)

    def _erased(self, faces: Tensor, strength: Tensor) -> Tensor:
        """Covers a rectangle of some faces with one grey."""
        settings, count, side = self._settings, len(faces), faces.shape[-1]
        area = self._uniform(count, 0.02, settings.erase_largest)
        aspect = torch.exp(self._uniform(count, -1, 1))
        height, width = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
        top = self._uniform(count) * (1 - height)
        left = self._uniform(count) * (1 - width)
        place = (torch.arange(side, device=self._device) + 0.5) / side
        rows = (place >= top[:, None]) & (place < (top + height)[:, None])
        columns = (place >= left[:, None]) & (place < (left + width)[:, None])
        chosen = self._chance(settings.erase_probability * strength, count)
        covered = rows[:, :, None] & columns[:, None, :] & chosen[:, None, None]
        grey = self._uniform(count, 0, 255)[:, None, None, None]
        return torch.where(covered[:, None], grey, faces)
