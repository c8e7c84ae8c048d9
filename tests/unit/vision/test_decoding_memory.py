"""What decoding takes, against what was computed from the header."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.hostile import hostile_files
from tests.unit.vision.pictures import encoded, quadrants

MEASURE = """
import json, re, sys, time
from pathlib import Path
from app.memory_budget import MemoryBudget
from app.system import configure_allocator
from app.vision import decode as module
from app.vision.headers import read_header, sniff

def memory(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

configure_allocator()
limits = module.ImageLimits(50_000_000, memory=MemoryBudget(10**10))
for path in sys.argv[1:]:
    data = Path(path).read_bytes()
    header, name = read_header(data, sniff(data)), sniff(data)
    at_most = min(header.width, header.height) / module.SEARCH_SIDE
    estimate = module.decoding_bytes(header, name, module._reduction(header, name, at_most))
    Path("/proc/self/clear_refs").write_text("5")
    before, started = memory("VmRSS"), time.process_time()
    module.decode(data, limits)
    print(json.dumps([Path(path).name, memory("VmHWM") - before, estimate, time.process_time() - started]))
"""


def near_a_bound() -> Iterator[tuple[str, bytes]]:
    """Pictures of every format and mode, turned by their EXIF where they have one, of a size at which RGB leaves Pillow
    at once and of one at which it does not."""
    modes = {
        "JPEG": ("RGB", "L", "CMYK"),
        "PNG": ("RGB", "RGBA", "L", "P"),
        "WEBP": ("RGB", "RGBA"),
        "BMP": ("RGB", "P"),
    }
    turned = Image.Exif()
    turned[0x0112] = 6
    for side, (form, of_form) in itertools.product((1448, 1449), modes.items()):
        options = {} if form == "BMP" else {"exif": turned}
        for mode in of_form:
            yield f"near-{side}-{form}-{mode}", encoded(Image.new(mode, (side, side), 99), form, **options)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux resets the peak of a process's memory")
def test_no_picture_takes_more_memory_than_was_computed_from_its_header(tmp_path: Path) -> None:
    (tmp_path / "warm-up").write_bytes(encoded(quadrants(), "JPEG"))
    (tmp_path / "honest").write_bytes(encoded(quadrants(4000, 3000), "JPEG"))
    (tmp_path / "honest-passes").write_bytes(encoded(quadrants(4000, 3000), "JPEG", progressive=True))
    (tmp_path / "honest-16-bit").write_bytes(encoded(Image.new("I;16", (3000, 2000), 7), "PNG"))
    (tmp_path / "honest-alpha").write_bytes(
        encoded(Image.new("RGBA", (3000, 2000), 7), "WEBP", lossless=True, method=0)
    )
    (tmp_path / "honest-bmp").write_bytes(encoded(Image.new("P", (2000, 2000), 7), "BMP"))
    for name, data in near_a_bound():
        (tmp_path / name).write_bytes(data)
    refused = {"greedy-jpeg-cmyk-passes", "greedy-png-16-bit-interlaced"}
    greedy = [file for file in hostile_files() if file.name.startswith("greedy-") and file.readable]
    for file in greedy:
        if file.name not in refused:
            (tmp_path / file.name).write_bytes(file.data)
    paths = sorted(map(str, tmp_path.iterdir()), key=lambda path: not path.endswith("warm-up"))
    done = subprocess.run([sys.executable, "-c", MEASURE, *paths], capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()][1:]
    assert len(rows) == len(paths) - 1
    assert [row for row in rows if row[1] > 1.2 * row[2]] == []
    assert next(row[2] for row in rows if row[0] == "honest") < 35_000_000
    assert max(row[2] for row in rows) < 240_000_000


FAULTS = """
import resource, sys
from pathlib import Path
from app.system import configure_allocator
from app.vision.decode import ImageLimits, decode

configure_allocator()
limits, data = ImageLimits(50_000_000), Path(sys.argv[1]).read_bytes()
for _ in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    decode(data, limits, 1.0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator is only configured for Linux")
def test_a_picture_of_a_common_size_is_decoded_in_memory_that_the_process_has(tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(encoded(quadrants(1440, 960), "JPEG"))

    done = subprocess.run(
        [sys.executable, "-c", FAULTS, str(tmp_path / "picture")], capture_output=True, text=True, check=True
    )

    # A thousand page faults take about as long as the decoder needs for half of this picture.
    assert int(done.stdout) < 1000
