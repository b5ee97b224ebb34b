"""What is left of a folder when the power goes: files as they were flushed, under the names that were flushed (names.c)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("names.c")


def library(folder: Path) -> Path | None:
    """The preloaded library, built by the machine's compiler; None where there is none."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    made = folder / "names.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", made, SOURCE, "-ldl"], check=True)
    return made


def preloaded(library: Path, live: Path, kept: Path) -> dict[str, str]:
    """The environment of a process under whose feet the power will go; everything that is in `live` now is on the disk."""
    for kind in "fd":
        (kept / kind).mkdir(parents=True)
    for path in (live, *live.rglob("*")):
        number = path.stat().st_ino
        if path.is_dir():
            (kept / "d" / str(number)).write_bytes(b"".join(_entry(one) for one in path.iterdir()))
        else:
            shutil.copyfile(path, kept / "f" / str(number))
    return {"LD_PRELOAD": str(library), "POWER_FROM": str(live), "POWER_TO": str(kept)}


def left(live: Path, kept: Path, into: Path) -> None:
    """Lay out in a new folder what is on the disk after the power has gone."""
    _lay(live.stat().st_ino, kept, into)


def _lay(folder: int, kept: Path, into: Path) -> None:
    into.mkdir()
    named = kept / "d" / str(folder)
    for entry in named.read_bytes().split(b"\0")[:-1] if named.exists() else ():
        number, kind, name = entry.decode().split(" ", 2)
        if kind == "d":
            _lay(int(number), kept, into / name)
        elif (content := kept / "f" / number).exists():
            shutil.copyfile(content, into / name)
        else:
            (into / name).touch()  # its name was flushed, what is in it never


def _entry(path: Path) -> bytes:
    return f"{path.stat().st_ino} {'d' if path.is_dir() else 'f'} {path.name}\0".encode()
