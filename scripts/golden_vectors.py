"""Golden vectors: what the service's pipeline makes of pictures, stage by stage, to check ports of it against.

    python scripts/golden_vectors.py write              # clients/golden/, from sample_images and DATA/wild-dev.zip
    python scripts/golden_vectors.py extract FOLDER     # the pictures of photos.json, those that are there

`pictures.json` has every stage for the pictures beside it. `photos.json` has only numbers, for pictures that lie in
`sample_images` and in `wild-dev.zip`, in the folder that DATA names.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from app.config import Settings  # noqa: E402
from app.errors import NoFaceDetected  # noqa: E402
from app.expression.action_units import action_units  # noqa: E402
from app.inference.classifier import Classifier, load_classifier  # noqa: E402
from app.inference.explain import explain  # noqa: E402
from app.inference.session import SessionSpec  # noqa: E402
from app.pipeline import CroppedPicture, DetectOptions, MeshedFace, Pipeline, go_on  # noqa: E402
from app.vision.decode import ImageLimits  # noqa: E402
from app.vision.detectors import make_detector  # noqa: E402
from app.vision.geometry import Face  # noqa: E402
from app.vision.mesh import BLENDSHAPES, MeshLoader  # noqa: E402

Pixels = NDArray[np.uint8]

GOLDEN: Final = ROOT / "clients" / "golden"
SAMPLES: Final = ROOT / "sample_images"
PHOTOS_OF_WILD_DEV: Final = 190
TOLERANCES: Final = {"overlap": 0.98, "probability": 0.02, "same_label": 0.995}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("write", help="write clients/golden/")
    extract = commands.add_parser("extract", help="copy the pictures of photos.json that are there into a folder")
    extract.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "write":
        write()
    else:
        copy_photos(arguments.folder)


def write() -> None:
    GOLDEN.mkdir(parents=True, exist_ok=True)
    reference = Reference()
    pictures = []
    for name, pixels in made_pictures():
        encoded = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
        (GOLDEN / f"{name}.png").write_bytes(encoded.tobytes())
        pictures.append({"file": f"{name}.png", **reference.stages(encoded.tobytes())})
    write_json(GOLDEN / "pictures.json", {**reference.head(), "pictures": pictures})
    photos = [{"from": place, "file": name, **reference.outcome(data)} for place, name, data in chosen_photos()]
    write_json(GOLDEN / "photos.json", {**reference.head(), "photos": photos})
    print(
        f"{len(pictures)} pictures, {len(photos)} photos, {sum(len(photo['faces']) for photo in photos)} faces in them"
    )


def write_json(path: Path, contents: dict[str, Any]) -> None:
    """JSON with one picture a line."""
    *head, (name, rows) = contents.items()
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    opening = "".join(f"{json.dumps(key)}: {json.dumps(value)},\n" for key, value in head)
    path.write_text(f"{{\n{opening}{json.dumps(name)}: [\n{lines}\n]\n}}\n")


class Reference:
    """The service's pipeline with its default model and settings."""

    def __init__(self) -> None:
        models = ROOT / "models"
        self._threshold = Settings.model_fields["detection_threshold"].default
        detector = make_detector(models, self._threshold)
        limits = ImageLimits(Settings.model_fields["max_image_pixels"].default)
        self._pipeline = Pipeline(detector, limits, mesh=MeshLoader(models))
        self._model: Classifier = load_classifier(models / "default", SessionSpec(("cpu",)))

    def head(self) -> dict[str, Any]:
        manifest = self._model.manifest
        return {
            "model": {"name": manifest.name, "version": manifest.version, "sha256": manifest.sha256},
            "labels": list(manifest.labels),
            "detection_threshold": self._threshold,
            "tolerances": TOLERANCES,
            "blendshapes": list(BLENDSHAPES),
        }

    def outcome(self, data: bytes) -> dict[str, Any]:
        """The size, the boxes of all faces, their probabilities and warnings."""
        head = {"sha256": hashlib.sha256(data).hexdigest()}
        cropped = self._cropped(data, details=False)
        if cropped is None:
            return {**head, "faces": []}
        faces = [
            {"box": rounded(box_of(face), 2), "probabilities": rounded(probabilities, 4), "warnings": warnings}
            for face, probabilities, warnings in self._predicted(cropped)
        ]
        return {**head, "faces": faces}

    def stages(self, data: bytes) -> dict[str, Any]:
        """The outcome of a picture, and every stage on the way."""
        cropped = self._cropped(data, details=True)
        if cropped is None:
            return {"faces": []}
        logits = self._model.runner.run(cropped.tensor).scores
        meshes = cropped.detected.meshed
        outputs = self._model.infer(cropped.tensor, with_features=True)
        maps = [heatmap.grid for heatmap in explain(self._model, cropped.crops, outputs)]
        faces = [
            {
                **located(face),
                "region": {key: round(value, 4) for key, value in asdict(cropped.regions[number]).items()},
                "crop": base64.b64encode(cv2.cvtColor(cropped.crops[number], cv2.COLOR_RGB2GRAY)).decode(),
                "logits": rounded(logits[number], 4),
                "probabilities": rounded(probabilities, 5),
                "warnings": warnings,
                "heatmap": [rounded(row, 3) for row in maps[number]],
                "details": details_of(meshes[number]),
            }
            for number, (face, probabilities, warnings) in enumerate(self._predicted(cropped))
        ]
        return {"width": cropped.detected.picture.width, "height": cropped.detected.picture.height, "faces": faces}

    def _cropped(self, data: bytes, *, details: bool) -> CroppedPicture | None:
        options = DetectOptions("all", details=frozenset({"mesh", "blendshapes"} if details else ()))
        try:
            detected = self._pipeline.detect(data, options, go_on)
        except NoFaceDetected:
            return None
        return self._pipeline.crop(detected, self._model, go_on)

    def _predicted(self, cropped: CroppedPicture) -> Iterator[tuple[Face, Any, list[str]]]:
        outputs = self._model.infer(cropped.tensor)
        for face, probabilities, warnings in zip(
            cropped.detected.faces, outputs.probabilities, cropped.warnings, strict=True
        ):
            yield face, probabilities, [warning.code for warning in warnings]


def located(face: Face) -> dict[str, Any]:
    return {
        "box": rounded(box_of(face), 2),
        "score": round(face.score, 4),
        "landmarks": [rounded(point, 2) for point in face.landmarks],
    }


def box_of(face: Face) -> tuple[float, float, float, float]:
    return face.box.x, face.box.y, face.box.width, face.box.height


def details_of(meshed: MeshedFace | None) -> dict[str, Any] | None:
    """The mesh, the blendshapes, the pose and the units; None for a face without a mesh."""
    if meshed is None or meshed.mesh.blendshapes is None:
        return None
    units = action_units(meshed.mesh.points, meshed.mesh.blendshapes)
    return {
        "mesh": [rounded(point, 1) for point in meshed.mesh.points],
        "blendshapes": rounded(meshed.mesh.blendshapes, 4),
        "head_pose": {key: round(value, 2) for key, value in asdict(meshed.pose).items()},
        "action_units": {code: round(unit.intensity, 3) for code, unit in units.items()},
    }


def rounded(values: Any, decimals: int) -> list[float]:
    return [round(float(value), decimals) for value in values]


def made_pictures() -> Iterator[tuple[str, Pixels]]:
    """Package pictures and variations of them, small enough to be kept whole."""
    happy, neutral = read("happy_sample"), read("neutral_sample")
    yield "happy", resized(happy[30:286, 90:346], 224)
    yield "neutral", resized(neutral[60:460, 70:470], 240)
    yield "turned", rotated(resized(happy[0:360, 40:400], 240), 28)
    yield "dark", (resized(neutral[60:460, 70:470], 200) * 0.15).astype(np.uint8)
    yield "soft", cv2.GaussianBlur(resized(neutral[60:460, 70:470], 240), (0, 0), 3.2)
    yield "cut", resized(happy[80:336, 200:456], 224)
    small = np.full((480, 640, 3), 214, np.uint8)
    small[190:290, 400:500] = resized(neutral[60:460, 70:470], 100)
    yield "small", small
    yield "two", np.hstack([resized(happy[30:286, 90:346], 200), resized(neutral[60:460, 70:470], 200)[:, ::-1]])
    yield "close", resized(neutral[160:340, 180:360], 180)
    yield "cup", resized(read("no_face")[:, 100:500], 160)


def read(name: str) -> Pixels:
    return np.asarray(cv2.cvtColor(cv2.imread(str(SAMPLES / f"{name}.jpg")), cv2.COLOR_BGR2RGB), np.uint8)


def resized(pixels: Pixels, side: int) -> Pixels:
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def rotated(pixels: Pixels, degrees: float) -> Pixels:
    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return np.asarray(cv2.warpAffine(pixels, turn, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def chosen_photos() -> Iterator[tuple[str, str, bytes]]:
    """The sample pictures, and photos of wild-dev at even distances."""
    for path in sorted(SAMPLES.glob("*.jpg")):
        yield "sample_images", path.name, path.read_bytes()
    with zipfile.ZipFile(wild_dev()) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        for number in range(PHOTOS_OF_WILD_DEV):
            name = names[number * len(names) // PHOTOS_OF_WILD_DEV]
            yield "wild-dev", name, archive.read(name)


def copy_photos(folder: Path) -> None:
    """Copies the photos of photos.json that are there. Prints what is not."""
    photos = json.loads((GOLDEN / "photos.json").read_bytes())["photos"]
    readers: dict[str, Callable[[str], bytes]] = {"sample_images": lambda name: (SAMPLES / name).read_bytes()}
    if wild_dev().is_file():
        readers["wild-dev"] = zipfile.ZipFile(wild_dev()).read
    else:
        print("The photos of wild-dev are not there: DATA names no folder with wild-dev.zip.")
    for photo in photos:
        if photo["from"] in readers:
            (folder / photo["from"]).mkdir(parents=True, exist_ok=True)
            data = readers[photo["from"]](photo["file"])
            if hashlib.sha256(data).hexdigest() != photo["sha256"]:
                raise SystemExit(f"{photo['file']} of {photo['from']} is not the picture of photos.json.")
            (folder / photo["from"] / photo["file"]).write_bytes(data)


def wild_dev() -> Path:
    return Path(os.environ.get("DATA", ROOT / "data")) / "wild-dev.zip"


if __name__ == "__main__":
    main()
