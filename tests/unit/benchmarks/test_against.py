from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks import against
from benchmarks.against import checked_out, losses, rank, row, table


@pytest.mark.parametrize(("count", "skipped"), [(1, 0), (3, 0), (5, 0), (6, 0), (9, 1), (12, 2), (20, 5)])
def test_an_interval_leaves_out_the_values_that_sign_tables_leave_out(count: int, skipped: int) -> None:
    assert rank(count) == skipped


def test_a_row_has_moved_when_its_interval_excludes_one() -> None:
    same = row("640x480", [0.97, 1.02, 1.0, 0.99, 1.01, 1.03, 0.98, 1.0, 1.01])
    less = row("no-face", [0.5, 0.45, 0.55, 0.52, 0.48, 0.5, 0.51, 0.49, 3.0])

    assert not same.moved
    assert less.moved
    assert (less.value, less.low, less.high) == (0.5, 0.48, 0.55)
    assert table([same, less]).splitlines()[-1] == "| no face, 640×480 | 0.500 | 0.480 to 0.550 | less |"


def test_what_moved_and_costs_too_much_is_named() -> None:
    dear, noisy = row("group", [1.2] * 9), row("memory", [0.8, 1.3, 1.3])

    assert losses([dear, noisy], 1.1) == ["six faces, 1440×960"]
    assert losses([dear, noisy], 1.25) == []


def test_a_revision_is_checked_out_for_as_long_as_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = tmp_path / "repository"
    git = ("git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
    for text in ("first", "second"):
        (repository / "file").write_text(text)
        subprocess.run([*git, "add", "file"], check=True)
        subprocess.run([*git, "commit", "--quiet", "--message", text], check=True)
    monkeypatch.setattr(against, "ROOT", repository)

    with checked_out("HEAD~1", tmp_path / "tree") as tree:
        assert (tree / "file").read_text() == "first"

    assert not (tmp_path / "tree").exists()
