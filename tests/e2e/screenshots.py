"""Pictures of the page in each of its states, into ``docs/images/``: ``python -m tests.e2e.screenshots``.

Readings come from a real service with the shipped model; failures from the stand-in, which can be put into any state.
Only the two public-domain portraits of the sample pictures may be seen.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.page.browser import ARGUMENTS, CHROMIUM, DESK, PHONE, Screen, open_context
from tests.e2e.page.mock import WEB, Mock, as_jpeg, astronaut, hopper, sample
from tests.e2e.page.moves import DONE, choose, go, picked, read_sample, settled, until
from tests.process import ServerProcess

IMAGES = Path(__file__).parents[2] / "docs" / "images"
COLOURS = 256
OWN_COLOURS = re.compile(r"--[\w-]+: #([0-9a-f]{6});")
SHOWN_WIDTH = 1080
CAMERA_FRAMES = 180
LIVE_FRAMES = 120


@dataclass(frozen=True)
class Shot:
    """One state: how to bring a page there, and where it is pictured."""

    name: str
    reach: Callable[[Page, Mock | None], None]
    real: bool = True
    whole: bool = False
    screens: tuple[Screen, ...] = (DESK, PHONE)
    schemes: tuple[str, ...] = ("light",)
    full_colour: bool = False


def first(page: Page, mock: Mock | None) -> None:
    until(page, "[...document.querySelectorAll('#samples img')].every((image) => image.complete)")


def reading(page: Page, mock: Mock | None) -> None:
    read_sample(page)
    page.fill("#reason-opacity", "60")
    calm(page)


def several(page: Page, mock: Mock | None) -> None:
    read_sample(page, "multiple_faces")
    page.wait_for_selector("#faces:not([hidden])")
    calm(page)


def request(page: Page, mock: Mock | None) -> None:
    read_sample(page)
    page.click("#request summary")
    calm(page)


def compared(page: Page, mock: Mock | None) -> None:
    assert mock
    mock.state.models = ("default", "another")
    page.reload()
    until(page, "document.querySelector('#status').dataset.learned === 'yes'")
    read_sample(page)
    page.click("#compare summary")
    page.click("text=Compare on this photo")
    page.wait_for_selector(".verdictline")
    calm(page)


def uncertain(page: Page, mock: Mock | None) -> None:
    choose(page, picked("unsure.jpg", sample("unsure")))
    page.wait_for_selector(DONE)
    calm(page)


def loading(page: Page, mock: Mock | None) -> None:
    assert mock
    mock.state.delay = 3
    page.click("[data-sample=neutral_sample]")
    until(page, "document.querySelector('#stage-picture').naturalWidth > 0")
    settled(page)


def failing(code: str) -> Callable[[Page, Mock | None], None]:
    def reach(page: Page, mock: Mock | None) -> None:
        assert mock
        if code == "not_ready":
            mock.state.asleep = True
        elif code == "offline":
            page.context.set_offline(True)
        else:
            mock.fail(code, retry_after=20)
        name = "no_face" if code == "no_face_detected" else "happy_sample"
        choose(page, picked(f"{name}.jpg", sample(name)))
        page.wait_for_selector("#photo-trouble h1")
        calm(page)

    return reach


def no_camera(page: Page, mock: Mock | None) -> None:
    refuse = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))"
    page.evaluate(f"() => {{ {refuse} }}")
    page.click("#photo-camera")
    page.wait_for_selector("#photo-trouble h1")
    calm(page)


def many(page: Page, mock: Mock | None) -> None:
    go(page, "many")
    with folder() as photos:
        page.set_input_files("#many-folder-input", str(photos))
        page.wait_for_selector("#view-many[data-state=done]")
    calm(page)


def live(page: Page, mock: Mock | None) -> None:
    go(page, "live")
    page.click("#live-on")
    page.wait_for_selector("#live-box:not([hidden])")
    until(page, f"Number(document.querySelector('#live-frames').textContent) >= {LIVE_FRAMES}")


def totals(page: Page, mock: Mock | None) -> None:
    go(page, "totals")
    page.wait_for_selector(".chart svg")
    calm(page)


def about(page: Page, mock: Mock | None) -> None:
    read_sample(page)
    go(page, "about")
    page.wait_for_selector("#card .card")
    calm(page)


SHOTS = (
    Shot("page", reading, screens=(DESK,), full_colour=True),
    Shot("page-first", first, schemes=("light", "dark")),
    Shot("page-reading", reading, screens=(PHONE,), whole=True),
    Shot("page-reading", reading, screens=(DESK,), schemes=("dark",)),
    Shot("page-several", several),
    Shot("page-request", request, screens=(PHONE,), whole=True),
    Shot("page-compared", compared, real=False, screens=(DESK,)),
    Shot("page-uncertain", uncertain, real=False, screens=(PHONE,)),
    Shot("page-loading", loading, real=False, screens=(DESK,)),
    Shot("page-no-face", failing("no_face_detected"), real=False),
    Shot("page-damaged", failing("invalid_image"), real=False, screens=(PHONE,)),
    Shot("page-limited", failing("rate_limited"), real=False, screens=(PHONE,)),
    Shot("page-waking", failing("not_ready"), real=False, schemes=("dark",)),
    Shot("page-offline", failing("offline"), real=False, screens=(PHONE,)),
    Shot("page-key", failing("unauthorized"), real=False, screens=(PHONE,)),
    Shot("page-no-camera", no_camera, real=False, screens=(PHONE,)),
    Shot("page-many", many),
    Shot("page-live", live),
    Shot("page-totals", totals, real=False),
    Shot("page-about", about, whole=True, screens=(DESK,)),
    Shot("page-about", about, screens=(PHONE,)),
)


def calm(page: Page) -> None:
    """Nothing moves any more, and nothing but the page's first screen is in view."""
    until(
        page,
        "document.getAnimations().every((one) => one.playState !== 'running'"
        " || one.effect.getTiming().iterations === Infinity)",
    )
    page.evaluate("window.scrollTo(0, 0)")
    page.mouse.move(0, 0)
    settled(page)


@contextmanager
def folder() -> Iterator[Path]:
    """Two portraits, cut, turned and lit in a dozen ways; and one picture of nobody."""
    with tempfile.TemporaryDirectory() as place:
        photos = Path(place) / "album"
        photos.mkdir()
        faces = (astronaut().crop((120, 0, 380, 260)), hopper().crop((80, 60, 420, 400)), astronaut(), hopper())
        for index in range(11):
            portrait = faces[index % 4].rotate(
                (index * 7) % 16 - 8, resample=Image.Resampling.BICUBIC, fillcolor="#999"
            )
            shade = Image.blend(portrait, Image.new("RGB", portrait.size, "#000"), (index % 5) * 0.12)
            (photos / f"{index + 1:02}.jpg").write_bytes(as_jpeg(shade))
        (photos / "12.jpg").write_bytes(sample("no_face"))
        yield photos


def fake_camera(place: Path) -> Path:
    """What the fake camera shows: one portrait after the other, nearer and farther, as a Motion JPEG."""
    frames = []
    for portrait, (left, top, right, bottom) in (astronaut(), (60, 0, 452, 294)), (hopper(), (20, 60, 500, 420)):
        for index in range(CAMERA_FRAMES):
            inset = abs(index - CAMERA_FRAMES // 2) // 4
            cut = portrait.crop((left + inset, top + inset, right - inset, bottom - inset))
            frames.append(as_jpeg(cut.resize((640, 480))))
    file = place / "camera.mjpeg"
    file.write_bytes(b"".join(frames))
    return file


def palette_of(picture: Image.Image) -> Image.Image:
    """The page's own colours, which a few buttons would not get by their share, and the commonest of the picture."""
    own = [bytes.fromhex(colour) for colour in sorted(set(OWN_COLOURS.findall((WEB / "base.css").read_text())))]
    common = picture.quantize(COLOURS - len(own), method=Image.Quantize.MEDIANCUT).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette(list(b"".join(own)) + common[: 3 * (COLOURS - len(own))])
    return palette


def save(page: Page, name: str, shot: Shot) -> int:
    """Writes what is seen as a PNG, of few colours unless all are wanted: a quarter of the size. Returns its bytes."""
    if shot.whole:
        height = page.evaluate("document.documentElement.scrollHeight")
        width = page.viewport_size["width"] if page.viewport_size else 0
        page.set_viewport_size({"width": width, "height": height})
        settled(page)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    if not shot.full_colour:
        if picture.width > SHOWN_WIDTH:
            size = (SHOWN_WIDTH, round(picture.height * SHOWN_WIDTH / picture.width))
            picture = picture.resize(size, Image.Resampling.LANCZOS)
        picture = picture.quantize(palette=palette_of(picture), dither=Image.Dither.FLOYDSTEINBERG)
    file = IMAGES / f"{name}.png"
    picture.save(file, optimize=True)
    return file.stat().st_size


def main(wanted: list[str]) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    shots = [shot for shot in SHOTS if not wanted or shot.name in wanted]
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        service = stack.enter_context(ServerProcess()) if any(shot.real for shot in shots) else None
        if service:
            warm_up(service)
        playwright = stack.enter_context(sync_playwright())
        camera = f"--use-file-for-fake-video-capture={fake_camera(place)}"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, camera])
        for shot in shots:
            for screen in shot.screens:
                for scheme in shot.schemes:
                    take(browser, shot, screen, scheme, service)
        browser.close()


def warm_up(service: ServerProcess) -> None:
    """Waits until it no longer says that it has just started, which it does for a minute."""
    service.wait_ready(patience=300)
    while httpx.get(f"{service.url}/health", trust_env=False, timeout=30).json()["is_cold_start"]:
        time.sleep(1)


def take(browser: Browser, shot: Shot, screen: Screen, scheme: str, service: ServerProcess | None) -> None:
    mock = None if shot.real else Mock()
    context = open_context(browser, screen, permissions=["camera"], color_scheme=scheme)
    page = context.new_page()
    page.goto(mock.url if mock else f"{service.url}/" if service else "")
    page.wait_for_selector("#status:is([data-state=ready], [data-state=cold])")
    shot.reach(page, mock)
    ends = (shot.name, "phone" if screen is PHONE else "", "dark" if scheme == "dark" else "")
    name = "-".join(end for end in ends if end)
    print(f"{name}.png {save(page, name, shot) // 1024} KB", flush=True)
    context.close()
    if mock:
        mock.close()


if __name__ == "__main__":
    main(sys.argv[1:])
