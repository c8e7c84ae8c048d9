"""Pictures of the page in each of its states, into ``build/page/``: ``python -m tests.e2e.screenshots``.

The one that the README shows is ``docs/images/page.png``.

Predictions come from a real service with the shipped model; errors, and what needs several models, from the application
with a fake pipeline. Only the two public-domain portraits of the sample pictures may be seen.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

import httpx
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.api.fakes import LABELS
from tests.e2e.page.actions import DONE, choose, go, picked, read_sample, settled, until
from tests.e2e.page.application import Application, two_models
from tests.e2e.page.browser import DESKTOP, PHONE, Screen, chromium, open_context
from tests.e2e.page.pictures import COLLINS, FaceIn, as_jpeg, collins, damaged, hopper, sample
from tests.process import ROOT, ServerProcess

README_PICTURE = ROOT / "docs" / "images" / "page.png"
OTHERS = ROOT / "build" / "page"
CAMERA_FRAMES = 180
LIVE_FRAMES = 120


ColourScheme = Literal["light", "dark"]


@dataclass(frozen=True)
class Shot:
    """One state: how to bring a page there, and where it is pictured."""

    name: str
    reach: Callable[[Page, Application | None], None]
    application: Callable[[], Application] | None = None
    """Starts the application with a fake pipeline; None takes the real service."""
    whole: bool = False
    screens: tuple[Screen, ...] = (DESKTOP, PHONE)
    schemes: tuple[ColourScheme, ...] = ("light",)


def first(page: Page, application: Application | None) -> None:
    until(page, "[...document.querySelectorAll('#samples img')].every((image) => image.complete)")


def result(page: Page, application: Application | None) -> None:
    read_sample(page)
    page.fill("#heatmap-opacity", "60")
    calm(page)


def several(page: Page, application: Application | None) -> None:
    read_sample(page, "multiple_faces")
    page.wait_for_selector("#faces:not([hidden])")
    calm(page)


def request(page: Page, application: Application | None) -> None:
    read_sample(page)
    page.click("#request summary")
    calm(page)


def compared(page: Page, application: Application | None) -> None:
    until(page, "document.querySelector('#status').dataset.info === 'loaded'")
    read_sample(page)
    page.click("#compare summary")
    page.click("text=Compare on this face")
    page.wait_for_selector(".compared__sum")
    calm(page)


def uncertain(page: Page, application: Application | None) -> None:
    choose(page, picked("unsure.jpg", sample("unsure")))
    page.wait_for_selector(DONE)
    calm(page)


def loading(page: Page, application: Application | None) -> None:
    assert application
    application.script.gate = threading.Event()
    page.click("[data-sample=neutral_sample]")
    until(page, "document.querySelector('#picture-image').naturalWidth > 0")
    settled(page)


def failing(code: str) -> Callable[[Page, Application | None], None]:
    def reach(page: Page, application: Application | None) -> None:
        assert application
        application.fail(code, retry_after=20)
        choose(page, picked("happy_sample.jpg", sample("happy_sample")))
        page.wait_for_selector("#photo-error h1")
        calm(page)

    return reach


def no_face(page: Page, application: Application | None) -> None:
    page.click("[data-sample=no_face]")
    page.wait_for_selector("#photo-error h1")
    calm(page)


def broken(page: Page, application: Application | None) -> None:
    choose(page, picked("holiday.jpg", damaged()))
    page.wait_for_selector("#photo-error h1")
    calm(page)


def refused(page: Page, application: Application | None) -> None:
    choose(page, picked("happy_sample.jpg", sample("happy_sample")))
    page.wait_for_selector("#photo-error h1")
    calm(page)


def offline(page: Page, application: Application | None) -> None:
    page.context.set_offline(True)
    refused(page, application)


def no_camera(page: Page, application: Application | None) -> None:
    refuse = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))"
    page.evaluate(f"() => {{ {refuse} }}")
    page.click("#photo-camera")
    page.wait_for_selector("#photo-error h1")
    calm(page)


def many(page: Page, application: Application | None) -> None:
    go(page, "many")
    with folder() as photos:
        page.set_input_files("#many-folder-input", str(photos))
        page.wait_for_selector("#view-many[data-state=done]")
    calm(page)


def live(page: Page, application: Application | None) -> None:
    go(page, "live")
    page.click("#live-on")
    page.wait_for_selector("#live-boxes .live-box")
    until(page, f"Number(document.querySelector('#live-frames').textContent) >= {LIVE_FRAMES}")


def totals(page: Page, application: Application | None) -> None:
    assert application
    for number in range(60):
        surest = 0.38 + 0.6 * (number / 60) ** 0.5
        spread = [(1 - surest) / (len(LABELS) - 1)] * len(LABELS)
        spread[(3, 6, 3, 4, 3, 6, 5, 0)[number % 8]] = surest
        application.faces = [FaceIn(COLLINS, tuple(spread), ["blurred"] if number % 9 == 0 else [])]
        application.predict("happy_sample")
    application.faces = ()
    for _ in range(7):
        application.predict("happy_sample")
    go(page, "totals")
    page.wait_for_selector(".chart svg")
    calm(page)


def code(page: Page, application: Application | None) -> None:
    read_sample(page)
    go(page, "code")
    calm(page)


def about(page: Page, application: Application | None) -> None:
    read_sample(page)
    go(page, "about")
    page.wait_for_selector("#card .card")
    calm(page)


def locked() -> Application:
    return Application(api_keys="phone:a-key-of-sixteen-letters")


SHOTS = (
    Shot("page", result, screens=(DESKTOP,)),
    Shot("page-first", first, schemes=("light", "dark")),
    Shot("page-reading", result, screens=(PHONE,), whole=True),
    Shot("page-reading", result, screens=(DESKTOP,), schemes=("dark",)),
    Shot("page-several", several),
    Shot("page-request", request, screens=(PHONE,), whole=True),
    Shot("page-compared", compared, lambda: Application(registry=two_models()), whole=True, screens=(DESKTOP,)),
    Shot("page-uncertain", uncertain, Application, screens=(PHONE,)),
    Shot("page-loading", loading, Application, screens=(DESKTOP,)),
    Shot("page-no-face", no_face, Application),
    Shot("page-damaged", broken, Application, screens=(PHONE,)),
    Shot("page-limited", failing("rate_limited"), Application, screens=(PHONE,)),
    Shot("page-waking", refused, lambda: Application(starting=True), schemes=("dark",)),
    Shot("page-offline", offline, Application, screens=(PHONE,)),
    Shot("page-key", refused, locked, screens=(PHONE,)),
    Shot("page-no-camera", no_camera, Application, screens=(PHONE,)),
    Shot("page-many", many),
    Shot("page-live", live),
    Shot("page-totals", totals, Application),
    Shot("page-code", code),
    Shot("page-about", about, whole=True, screens=(DESKTOP,)),
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
    """Two portraits, cut, turned and lit in a dozen ways; and one picture without a face."""
    with tempfile.TemporaryDirectory() as place:
        photos = Path(place) / "album"
        photos.mkdir()
        faces = (collins().crop((120, 0, 380, 260)), hopper().crop((80, 60, 420, 400)), collins(), hopper())
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
    for portrait, (left, top, right, bottom) in (collins(), (60, 0, 452, 294)), (hopper(), (20, 60, 500, 420)):
        for index in range(CAMERA_FRAMES):
            inset = abs(index - CAMERA_FRAMES // 2) // 4
            cut = portrait.crop((left + inset, top + inset, right - inset, bottom - inset))
            frames.append(as_jpeg(cut.resize((640, 480))))
    file = place / "camera.mjpeg"
    file.write_bytes(b"".join(frames))
    return file


def save(page: Page, name: str, shot: Shot) -> int:
    """Writes what is seen as a PNG. Returns its bytes."""
    if shot.whole:
        height = page.evaluate("document.documentElement.scrollHeight")
        width = page.viewport_size["width"] if page.viewport_size else 0
        page.set_viewport_size({"width": width, "height": height})
        settled(page)
    file = README_PICTURE if shot.name == "page" else OTHERS / f"{name}.png"
    return len(page.screenshot(path=file))


def main(wanted: list[str]) -> None:
    OTHERS.mkdir(parents=True, exist_ok=True)
    shots = [shot for shot in SHOTS if not wanted or shot.name in wanted]
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        service = stack.enter_context(ServerProcess()) if any(shot.application is None for shot in shots) else None
        if service:
            warm_up(service)
        playwright = stack.enter_context(sync_playwright())
        camera = f"--use-file-for-fake-video-capture={fake_camera(place)}"
        browser = stack.enter_context(chromium(playwright, camera))
        for shot, screen, scheme in ((each, *view) for each in shots for view in product(each.screens, each.schemes)):
            ends = (shot.name, "phone" if screen is PHONE else "", "dark" if scheme == "dark" else "")
            name = "-".join(end for end in ends if end)
            page = open_context(browser, screen, permissions=["camera"], color_scheme=scheme).new_page()
            if shot.application is None:
                assert service
                page.goto(service.url)
                take(page, shot, name)
            else:
                with shot.application() as application:
                    page.goto(application.url)
                    take(page, shot, name, application)


def warm_up(service: ServerProcess) -> None:
    """Waits until it no longer says that it has just started, which it does for a minute."""
    service.wait_ready(timeout=300)
    while httpx.get(f"{service.url}/health", trust_env=False, timeout=30).json()["is_cold_start"]:
        time.sleep(1)


def take(page: Page, shot: Shot, name: str, application: Application | None = None) -> None:
    page.wait_for_selector("#status:not([data-state=checking])")
    shot.reach(page, application)
    print(f"{name}.png {save(page, name, shot) // 1024} KB", flush=True)
    page.context.close()


if __name__ == "__main__":
    main(sys.argv[1:])
