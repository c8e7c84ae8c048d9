"""A model's manifest: all that the service must know to serve it."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    StringConstraints,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from app.config import MODEL_NAME

MANIFEST_FILE = "manifest.json"
TEMPERATURES = (0.05, 20)
"""The least and the most that a manifest may have."""
_LARGEST_MANIFEST = 1_000_000
_TAGS = {"eyes", "box", "regression", "multilabel", "float", "tuple[float, ...]"}
"""Parts of an error's location that pydantic adds for a union. They are no keys of the file."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Label = Annotated[str, StringConstraints(max_length=40, pattern=r"^\w[\w -]*$")]
PerChannel = float | tuple[float, ...]
"""One number for all channels, or one for each."""


class BadModel(Exception):
    """A model that cannot serve. The message is one sentence for the operator: the model's name and the fault."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class InputSpec(_Part):
    """How a crop becomes the input tensor: each value ``x`` becomes ``(x × scale - mean) / std``."""

    width: int = Field(ge=8, le=1024, description="Width of the crop in pixels.")
    height: int = Field(ge=8, le=1024, description="Height of the crop in pixels.")
    channels: Literal["gray", "rgb", "bgr"] = Field(description="Which channels, in which order.")
    layout: Literal["NCHW", "NHWC"] = Field("NCHW", description="Whether the channels come before the pixels or after.")
    dtype: Literal["float32", "uint8"] = Field(
        "float32", description="Type of the tensor; `uint8` takes the pixels as they are."
    )
    scale: float = Field(1.0, gt=0, description="Factor for a pixel's value of 0 to 255, applied first.")
    mean: PerChannel = Field(0.0, description="Subtracted after that: one number, or one per channel.")
    std: PerChannel = Field(1.0, description="Divisor after that: one number, or one per channel.")

    @property
    def depth(self) -> int:
        return 1 if self.channels == "gray" else 3

    @field_validator("std")
    @classmethod
    def _positive(cls, value: PerChannel) -> PerChannel:
        if min(value if isinstance(value, tuple) else (value,), default=1.0) <= 0:
            raise ValueError("must be greater than 0")
        return value

    @model_validator(mode="after")
    def _coherent(self) -> InputSpec:
        for name, value in (("mean", self.mean), ("std", self.std)):
            if isinstance(value, tuple) and len(value) != self.depth:
                raise ValueError(f"{name} has {len(value)} numbers for {self.depth} channels ({self.channels})")
        if self.dtype == "uint8" and (self.scale, self.mean, self.std) != (1.0, 0.0, 1.0):
            raise ValueError("dtype uint8 leaves no room for scale, mean or std")
        return self


class ByEyes(_Part):
    """Places the crop by the eyes and turns it until they are level. All values are shares of the crop's side."""

    eye_distance: float = Field(gt=0, lt=1, description="Distance between the eyes.")
    eye_center: tuple[float, float] = Field(description="Where the middle between the eyes lies: `[x, y]`.")


class ByBox(_Part):
    """Places the crop by the detected box. All values are in box widths."""

    side: float = Field(gt=0, le=10, description="Side of the square.")
    offset_x: float = Field(ge=-5, le=5, description="How far right of the box's left edge the square starts.")
    offset_y: float = Field(ge=-5, le=5, description="How far below the box's top edge the square starts.")


def _framing(value: Any) -> str:
    if isinstance(value, ByEyes):
        return "eyes"
    return "eyes" if isinstance(value, dict) and any(str(key).startswith("eye_") for key in value) else "box"


FaceFraming = Annotated[Annotated[ByEyes, Tag("eyes")] | Annotated[ByBox, Tag("box")], Discriminator(_framing)]


class OutputSpec(_Part):
    """The network's output, and its calibration."""

    tensor: Text = Field(description="Name of the output with one number per label.")
    kind: Literal["logits", "probabilities"] = Field(
        description="Whether the output still needs a softmax (`logits`) or not."
    )
    temperature: float = Field(
        1.0,
        ge=TEMPERATURES[0],
        le=TEMPERATURES[1],
        description="Divisor of the logits before the softmax; below 1 it sharpens.",
    )
    entropy_exponent: float = Field(
        0.0,
        ge=-1,
        le=1,
        description="The temperature is multiplied by the prediction's entropy (0 to 1) to this power; above 0 it "
        "sharpens clear predictions more than doubtful ones.",
    )


class RegressionSpec(_Part):
    """A further output with one number for each name, such as valence and arousal."""

    kind: Literal["regression"] = Field(description="Says that each name has one number.")
    tensor: Text = Field(description="Name of the graph's output, `(n, names)`.")
    names: tuple[Label, ...] = Field(min_length=1, max_length=100, description="What each number is, in order.")
    range: tuple[float, float] = Field(description="Least and greatest value; values beyond are cut.")

    @field_validator("range")
    @classmethod
    def _rising(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] >= value[1]:
            raise ValueError("must be a lower and a higher number")
        return value


class MultilabelSpec(_Part):
    """A further output with an independent probability for each name, such as action units."""

    kind: Literal["multilabel"] = Field(description="Says that each name has a probability of its own.")
    tensor: Text = Field(description="Name of the graph's output, `(n, names)`.")
    names: tuple[Label, ...] = Field(min_length=1, max_length=100, description="What each number is, in order.")
    values: Literal["logits", "probabilities"] = Field(
        description="Whether the output still needs a sigmoid (`logits`) or not."
    )
    thresholds: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(
        description="For each name the probability from which it is active."
    )

    @model_validator(mode="after")
    def _one_threshold_each(self) -> MultilabelSpec:
        if len(self.thresholds) != len(self.names):
            raise ValueError(f"thresholds has {len(self.thresholds)} numbers for {len(self.names)} names")
        return self


FurtherOutput = Annotated[RegressionSpec | MultilabelSpec, Field(discriminator="kind")]


class ExplainSpec(_Part):
    """The source of class-activation maps: pooled features that one linear layer turns into logits."""

    features: Text = Field(
        description="Name of the last feature map before the global average pooling, `(n, channels, height, width)`; "
        "it need not be an output of the graph."
    )
    weights: Text = Field(description="Name of the initializer with the last layer's weights, `(labels, channels)`.")


class Manifest(_Part):
    """``manifest.json`` of a model's folder."""

    name: Annotated[str, StringConstraints(max_length=64, pattern=MODEL_NAME)] = Field(
        description="Name of the model in requests; the same as its folder's name."
    )
    version: Text = Field(description="Version of the model.")
    file: Annotated[str, StringConstraints(max_length=200)] = Field(description="Name of the ONNX file in this folder.")
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="SHA-256 of that file in hexadecimal, lower case."
    )
    architecture: Text = Field(description="Kind of network.")
    trained_on: Text = Field(description="Training data.")
    license: Text = Field(description="Licence of the weights.")
    labels: tuple[Label, ...] = Field(
        min_length=2, max_length=100, description="The label of each output, in the network's order."
    )
    metrics: dict[str, JsonValue] = Field({}, description="Figures that `/info` shows; nothing else uses them.")
    input: InputSpec = Field(description="How a crop becomes the input tensor.")
    face: FaceFraming = Field(description="How to place the square crop on a detected face.")
    output: OutputSpec = Field(description="The network's output and its calibration.")
    outputs: tuple[FurtherOutput, ...] = Field(
        (), max_length=20, description="Further outputs, which results have under `outputs`: see below."
    )
    explain: ExplainSpec | None = Field(
        None, description="Source of class-activation maps; without it, heatmaps are made by occlusion."
    )

    @field_validator("file")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not value.strip(". ") or set(value) & set("/\\:\0"):
            raise ValueError("must be the plain name of a file in the model's folder")
        return value

    @field_validator("metrics")
    @classmethod
    def _can_be_sent(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        try:
            orjson.dumps(value)
        except orjson.JSONEncodeError:
            raise ValueError("has a number or a nesting that no response can hold") from None
        return value

    @field_validator("outputs")
    @classmethod
    def _distinct_outputs(cls, value: tuple[FurtherOutput, ...]) -> tuple[FurtherOutput, ...]:
        names = [name for output in value for name in output.names]
        if len(set(names)) != len(names):
            raise ValueError("names two numbers alike")
        return value

    @field_validator("labels")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("names two labels alike")
        return value


def load_manifest(folder: Path) -> Manifest:
    """The manifest of a model's folder, or :class:`BadModel`."""
    try:
        text = read_within(folder, MANIFEST_FILE, at_most=_LARGEST_MANIFEST)
    except FileNotFoundError:
        raise BadModel(f"Model {folder.name}: there is no {MANIFEST_FILE}.") from None
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        raise BadModel(f"Model {folder.name}: {_sentence(error)}") from None
    if manifest.name != folder.name:
        raise BadModel(f"Model {folder.name}: name in {MANIFEST_FILE} is {manifest.name}, not the folder's name.")
    return manifest


@contextlib.contextmanager
def open_within(folder: Path, name: str, *, at_most: int) -> Iterator[BufferedReader]:
    """Opens a regular file of at most ``at_most`` bytes in the folder. A link may not lead out of it.

    Raises ``FileNotFoundError`` if there is none, and :class:`BadModel` for every other reason not to read it.
    """
    try:
        path = (folder / name).resolve(strict=True)
        if not path.is_relative_to(folder.resolve()):
            raise BadModel(f"Model {folder.name}: {name} leads out of the model's folder.")
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise BadModel(f"Model {folder.name}: {name} is not a regular file.")
        if status.st_size > at_most:
            raise BadModel(f"Model {folder.name}: {name} has more than {at_most} bytes.")
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise
    except (OSError, RuntimeError) as error:
        # Python 3.12 raises RuntimeError for a link that leads to itself.
        reason = getattr(error, "strerror", None) or "a link leads to itself"
        raise BadModel(f"Model {folder.name}: {name} cannot be read ({reason}).") from None


def read_within(folder: Path, name: str, *, at_most: int) -> bytes:
    """The bytes of a file that :func:`open_within` opens."""
    with open_within(folder, name, at_most=at_most) as file:
        return file.read(at_most)


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"] if part not in _TAGS)
    reason = first["msg"].removeprefix("Value error, ").removeprefix("Invalid JSON: ")
    reason = " ".join(reason.split()).rstrip(".")
    if first["type"] == "json_invalid":
        return f"{MANIFEST_FILE} is no JSON ({reason})."
    where = f"{place} in {MANIFEST_FILE}" if place else MANIFEST_FILE
    return f"{where}: {reason[:1].lower()}{reason[1:]}."
