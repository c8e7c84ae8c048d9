"""Checks that this Python has what requirements files list, and that the lists hold everything their packages need.

    python scripts/check_environment.py requirements/dev.txt requirements/fuzz.txt [--exact]

`--exact` also refuses packages that no file lists. `pip check` knows no list, and in newer releases it refuses
mediapipe 0.10.31, which the benchmarks need, as its WHEEL file names another platform than its file name.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

INSTALLERS = {"pip", "setuptools", "wheel"}


def read(file: str) -> list[Requirement]:
    """The requirements that a file lists for this Python and platform."""
    lines = [line for line in Path(file).read_text().splitlines() if line and not line.startswith((" ", "#"))]
    requirements = [Requirement(line.rstrip("\\ ")) for line in lines]
    return [each for each in requirements if each.marker is None or each.marker.evaluate()]


def needs(package: Distribution, extras: set[str]) -> list[Requirement]:
    """What a package, with these extras, needs on this Python and platform."""
    requirements = [Requirement(text) for text in package.requires or []]
    return [
        each
        for each in requirements
        if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in {"", *extras})
    ]


def problems(listed: list[Requirement], installed: dict[str, Distribution], exact: bool) -> list[str]:
    """One sentence for everything that is wrong with the environment."""
    extras: dict[str, set[str]] = defaultdict(set)
    for each in listed:
        extras[canonicalize_name(each.name)] |= each.extras
    wanted = [("the list", each) for each in listed]
    for name in sorted(extras.keys() & installed.keys()):
        wanted += [(name, each) for each in needs(installed[name], extras[name])]
    found = []
    for asker, each in wanted:
        name = canonicalize_name(each.name)
        if name not in extras:
            found.append(f"{asker} needs {each}, which is not listed")
        elif name not in installed:
            found.append(f"{asker} needs {each}, which is not installed")
        elif not each.specifier.contains(installed[name].version, prereleases=True):
            found.append(f"{asker} needs {each}, but {installed[name].version} is installed")
        elif not each.extras <= extras[name]:
            found.append(f"{asker} needs {each}, which is listed without that extra")
    if exact:
        found += [
            f"{name} is installed but not listed" for name in sorted(installed.keys() - extras.keys() - INSTALLERS)
        ]
    return found


def main() -> None:
    """Prints what is wrong and exits with 1 where anything is."""
    files = [word for word in sys.argv[1:] if word != "--exact"]
    listed = [requirement for file in files for requirement in read(file)]
    installed = {canonicalize_name(each.metadata["Name"]): each for each in distributions()}
    found = problems(listed, installed, "--exact" in sys.argv)
    for problem in found:
        print(f"{' + '.join(files)}: {problem}", file=sys.stderr)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
