"""Do the steps of "a new analyzer in an hour" work as they are written, on a recording that no shipped driver was made from?"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

from labmw.cli.decoder import Decoder
from labmw.cli.driver import docstring
from labmw.line.registry import Registry

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "drivers" / "README.md").read_text(encoding="utf-8")
RECORDING = ROOT / "tests" / "data" / "new-analyzer" / "morning.astm"


def steps() -> list[tuple[str, list[str]]]:
    """Each block of commands, with the lines that the page says it prints."""
    found: list[tuple[str, list[str]]] = []
    for language, text in re.findall(
        r"(?ms)^```(sh|text)\n(.*?)^```", PAGE.split("## A new analyzer in an hour", 1)[1]
    ):
        if language == "sh":
            found.append((text, []))
        else:
            found[-1][1].extend(text.splitlines())
    return found


def flat(text: str) -> str:
    return " ".join(text.split())


def shell(place: Path) -> dict[str, str]:
    """An environment in which `labmw` is this one, on a wide screen."""
    command = place / "bin" / "labmw"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "from labmw.cli import main; main()" "$@"\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    path = os.pathsep.join([str(command.parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", "LABMW_CONFIG": ""}


def test_the_steps_as_they_are_written(tmp_path: Path) -> None:
    environment = shell(tmp_path)
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    place = tmp_path
    assert len(steps()) == 7
    for commands, printed in steps():
        output, place = run(commands, place, environment)
        for line in printed:
            assert flat(line) in flat(output), f"not printed: {line}\n\n{output}"
    assert (place / "tests" / "captures" / "acme-x100" / "morning.astm.expected.json").stat().st_size > 1000


def run(commands: str, place: Path, environment: dict[str, str]) -> tuple[str, Path]:
    """Run one block; what it printed, and the folder it ended in."""
    mark = "the folder is now "
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{commands}\necho '{mark}'\"$PWD\""],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=place, env=environment, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    output, _, folder = done.stdout.rpartition(mark)
    return output, Path(folder.strip())


def test_no_shipped_driver_was_made_from_the_recording() -> None:
    registry = Registry.find()
    assert all(RECORDING.parent.name not in docstring(driver) for driver in registry.drivers.values())
    decoded = Decoder(registry, None, ZoneInfo("Europe/Paris")).decode(RECORDING)
    assert {one.reading.driver for one in decoded.messages} == {"any-astm"}
