"""Makes the pictures of ``sample_images/`` from samples of scikit-image and Matplotlib. The same bytes every time.

    python -m scripts.make_samples [FOLDER]

Needs matplotlib and scikit-image. Both portraits are in the public domain (NASA; U.S. Navy), coffee and cat are CC0.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib import cbook
from PIL import Image, ImageFilter, ImageOps
from skimage import data

FOLDER = Path("sample_images")
ORIENTATION = 0x0112

_PAPER = (206, 201, 193)

_GRAIN = 3.0
"""Standard deviation of the noise on an enlarged picture: its JPEG gets the size of a camera's."""


def astronaut() -> Image.Image:
    return Image.fromarray(data.astronaut())


def hopper() -> Image.Image:
    with cbook.get_sample_data("grace_hopper.jpg") as file, Image.open(file) as image:
        return image.convert("RGB")


def side_by_side() -> Image.Image:
    """Both portraits at the same height."""
    canvas = Image.new("RGB", (1080, 640), _PAPER)
    left = astronaut().crop((105, 10, 345, 298)).resize((450, 540), Image.Resampling.LANCZOS)
    right = hopper().crop((46, 40, 471, 550)).resize((450, 540), Image.Resampling.LANCZOS)
    canvas.paste(left, (60, 50))
    canvas.paste(right, (570, 50))
    return canvas


def held_sideways(image: Image.Image) -> tuple[Image.Image, Image.Exif]:
    """The picture rotated, with the EXIF orientation that turns it upright."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    return image.transpose(Image.Transpose.ROTATE_90), exif


def twelve_megapixels(image: Image.Image) -> Image.Image:
    photo = image.crop((0, 0, 512, 384)).resize((4000, 3000), Image.Resampling.BICUBIC)
    photo = photo.filter(ImageFilter.UnsharpMask(radius=8, percent=80, threshold=0))
    noise = np.random.default_rng(7).normal(0, _GRAIN, (3000, 4000, 1))
    return Image.fromarray(np.clip(np.asarray(photo) + noise, 0, 255).astype(np.uint8))


def dark(image: Image.Image) -> Image.Image:
    return image.point([round(value * 0.12) for value in range(256)] * 3)


def blurred(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(7))


def tilted(image: Image.Image) -> Image.Image:
    return image.rotate(35, resample=Image.Resampling.BICUBIC, fillcolor=_PAPER)


def small_face(image: Image.Image) -> Image.Image:
    """The portrait on a sheet many times its size, so that its face is some 40 pixels wide."""
    canvas = Image.new("RGB", (1000, 750), _PAPER)
    canvas.paste(image.resize((112, 131), Image.Resampling.LANCZOS), (560, 330))
    return canvas


def several_faces() -> Image.Image:
    """Both portraits three times each: as they are, mirrored, and at another size."""
    canvas = Image.new("RGB", (1080, 760), _PAPER)
    collins, grace = astronaut().crop((105, 10, 345, 298)), hopper().crop((46, 40, 471, 550))
    portraits = (collins, grace, ImageOps.mirror(collins), ImageOps.mirror(grace), collins, grace)
    for place, portrait in enumerate(portraits):
        width = 300 if place < 3 else 230
        left, top = 45 + (place % 3) * 345, 30 if place < 3 else 430
        canvas.paste(portrait.resize((width, round(width * 1.2)), Image.Resampling.LANCZOS), (left, top))
    return canvas


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    astronaut().save(folder / "happy_sample.jpg", quality=92)
    hopper().save(folder / "neutral_sample.jpg", quality=92)
    Image.fromarray(data.coffee()).save(folder / "no_face.jpg", quality=90)
    Image.fromarray(data.chelsea()).save(folder / "cat.jpg", quality=86)
    side_by_side().save(folder / "multiple_faces.jpg", quality=90)
    several_faces().save(folder / "several_faces.jpg", quality=84)
    dark(astronaut()).save(folder / "dark.jpg", quality=86)
    blurred(hopper()).save(folder / "blurred.jpg", quality=86)
    tilted(astronaut()).save(folder / "tilted.jpg", quality=84)
    small_face(hopper()).save(folder / "small_face.jpg", quality=86)
    stored, exif = held_sideways(astronaut())
    stored.save(folder / "rotated_exif.jpg", quality=92, exif=exif)
    twelve_megapixels(astronaut()).save(folder / "phone_12mp.jpg", quality=84)


if __name__ == "__main__":
    main()
