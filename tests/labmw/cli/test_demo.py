"""labmw demo, whole: nothing lost with labmw as it is, and the same count finds what is lost when the order is reversed (law 14)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("demo")


def demo(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from labmw.cli import main; main()", "demo", "--out", str(folder), *options],
        capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip


def logs(folder: Path) -> str:
    return "".join(file.read_text()[-4000:] for file in sorted(folder.glob("*.log")))


def test_nothing_is_lost_and_every_planted_case_ends_where_it_must(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    done = demo(folder, "--language", "en")
    assert done.returncode == 0, done.stdout + done.stderr + logs(folder)
    assert "✗" not in done.stdout and done.stdout.count("✓") == 16
    shown = subprocess.run(
        [sys.executable, "-c", "from labmw.cli import main; main()", "status", "--config", str(folder / "labmw.toml")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert shown.returncode == 1 and "labmw is not running" in " ".join(shown.stdout.split())
    again = demo(tmp_path)  # this folder is not a demo's
    assert again.returncode == 2 and "not a demo's folder" in again.stderr


def test_acknowledging_first_loses_and_the_count_notices(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    done = demo(folder, "--break", "ack-first", "--language", "fr")
    assert done.returncode == 1, done.stdout + done.stderr + logs(folder)
    assert "PERDUS" in done.stdout and "acquitté à l'automate, absent de la base" in done.stdout
