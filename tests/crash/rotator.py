"""`labmw store key rotate`, with a trapdoor at one step: it kills itself, as the kernel or a power cut would, without a word.

    python tests/crash/rotator.py STEP ARGUMENTS

STEP: begin (the new key is in the file), half and end are inside a transaction, ended is after the last one; partial is the last
write of the file before it gets its name.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labmw.cli import main
from labmw.store.encryption import changing, key_file
from labmw.store.transaction import Transaction

STEP = sys.argv[1] if __name__ == "__main__" else ""
INSIDE = {"begin": "begin_rotation", "half": "rewrap", "end": "end_rotation"}


def die_at(step: str) -> None:
    if step == STEP:
        os.kill(os.getpid(), signal.SIGKILL)


def within(step: str, name: str) -> Callable[..., Transaction[Any]]:
    whole = getattr(changing, name)

    def trapped(*told: Any) -> Transaction[Any]:
        done = yield from whole(*told)
        die_at(step)
        return done

    return trapped


def set_traps() -> None:
    write, rename = key_file.write, Path.rename
    done: list[str] = []

    def trapped_write(*told: Any, **more: Any) -> None:
        if done:
            die_at("ended")
        write(*told, **more)
        done.append("written")

    def trapped_rename(self: Path, target: Path) -> Path:
        if done and self.name.endswith(".partial"):
            die_at("partial")
        return rename(self, target)

    for step, name in INSIDE.items():
        setattr(changing, name, within(step, name))
    setattr(key_file, "write", trapped_write)  # noqa: B010 -- mypy forbids the assignment
    setattr(Path, "rename", trapped_rename)  # noqa: B010


if __name__ == "__main__":
    set_traps()
    del sys.argv[1]
    main()
