"""`labmw retention archive move --go`, with a trapdoor at one step: it kills itself, as the kernel or a power cut would, without a word.

    python tests/crash/archiver.py STEP ARGUMENTS

STEP is noted, file, written, going or moved. Variants that break the law: `hasty`, the rows go first, and the files would follow; `unflushed`, the
files are written and not flushed; `unnamed`, they are, and the folders that name them are not. Both die where `moved` does.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labmw.cli import main
from labmw.lab.archiving import Archiver, Removal
from labmw.store.archive import folder
from labmw.store.archive.folder import ArchiveFolder
from labmw.store.transaction import Transaction


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _ignored(fd: object) -> None:
    """Flushes nothing."""


def set_trap(step: str) -> None:
    write, carry_out, flush, move = ArchiveFolder.write, Removal.carry_out, folder._flush, Archiver.move

    def trapped_write(self: ArchiveFolder, name: str, files: Mapping[str, bytes]) -> None:
        if step == "noted":
            die()
        if step != "hasty":
            write(self, name, files)
        if step == "written":
            die()

    def trapped_flush(path: Path) -> None:
        if step == "unnamed":
            return
        if step == "file" and path.name.endswith(".partial"):
            die()
        flush(path)

    def trapped_carry_out(self: Removal, *told: Any) -> Transaction[None]:
        yield from carry_out(self, *told)
        if step == "going":
            die()

    async def trapped_move(self: Archiver, *told: Any) -> Any:
        done = await move(self, *told)
        if step in ("moved", "hasty", "unflushed", "unnamed"):
            die()
        return done

    if step == "unflushed":
        os.fsync = _ignored  # the database's own flushes do not come this way
    for place, name, trapped in (
        (ArchiveFolder, "write", trapped_write),
        (Removal, "carry_out", trapped_carry_out),
        (Archiver, "move", trapped_move),
        (folder, "_flush", trapped_flush),
    ):
        setattr(place, name, trapped)


if __name__ == "__main__":
    set_trap(sys.argv[1])
    del sys.argv[1]
    main()
