"""Files in a folder of this machine: what is written is on the disk before it has its name."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from labmw.errors import PlaceError
from labmw.line.file_place import ASIDE, MOST, PUT_AWAY, FileGone, Lying, State, other_name, partial
from labmw.phrases import say

_Answer = TypeVar("_Answer")
_CODES = {
    errno.ENOENT: "place-missing", errno.ENOTDIR: "place-missing", errno.EACCES: "place-denied", errno.EPERM: "place-denied", errno.EROFS: "place-denied",
    errno.ENOSPC: "place-full", errno.EDQUOT: "place-full",
}  # fmt: skip


class LocalFolder:
    """One folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.title = folder, str(folder)

    async def look(self) -> Sequence[Lying]:
        """The files that lie there, by name."""
        return await self._do(self._look)

    def _look(self) -> list[Lying]:
        found: list[Lying] = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    if entry.is_file():
                        found.append(Lying(entry.name, _state(entry.stat())))
                if len(found) > MOST:
                    raise _error("place-crowded", self.title, str(MOST))
        return sorted(found, key=lambda one: one.name)

    async def read(self, name: str, limit: int) -> bytes:
        """The bytes of a file, and one more than the limit where it is larger; raises FileGone."""
        return await self._do(lambda: self._read(name, limit))

    def _read(self, name: str, limit: int) -> bytes:
        try:
            with (self._folder / name).open("rb") as file:
                return file.read(limit + 1)
        except FileNotFoundError as error:
            raise FileGone(name) from error
        except PermissionError as error:
            raise _error("place-file-denied", f"{self.title}/{name}", error.strerror or str(error)) from error

    async def set_aside(self, name: str, state: State) -> bool:
        """Take a file away from its sender; one that was changed goes back, unless the next one lies there already."""
        return await self._do(lambda: self._set_aside(name, state))

    def _set_aside(self, name: str, state: State) -> bool:
        path, aside = self._folder / name, self._folder / f"{ASIDE}{name}"
        try:
            path.rename(aside)
        except FileNotFoundError as error:
            raise FileGone(name) from error
        if _state(aside.stat()) == state:
            return True
        try:
            path.hardlink_to(aside)
        except OSError:
            return True
        aside.unlink()
        return False

    async def put_away(self, name: str, digest: str) -> None:
        """Move a file that was set aside to what was taken."""
        await self._do(lambda: self._put_away(name, digest))

    def _put_away(self, name: str, digest: str) -> None:
        folder = self._folder / PUT_AWAY
        folder.mkdir(exist_ok=True)
        target = folder / name
        if target.exists():
            target = folder / other_name(name, digest)
        (self._folder / f"{ASIDE}{name}").replace(target)

    async def lay(self, name: str, data: bytes, *, replace: bool = False) -> bool:
        """Write a file whole, on the disk, before it has its name; False when one with other bytes has it and may not be replaced."""
        return await self._do(lambda: self._lay(name, data, replace=replace))

    def _lay(self, name: str, data: bytes, *, replace: bool) -> bool:
        target, unread = self._folder / name, self._folder / partial(name)
        if target.exists():
            if target.read_bytes() == data:
                return True
            if not replace:
                return False
        try:
            with unread.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            unread.replace(target)
        except OSError:
            with contextlib.suppress(OSError):
                unread.unlink()
            raise
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return True

    async def close(self) -> None:
        """Nothing stays open."""

    async def _do(self, what: Callable[[], _Answer]) -> _Answer:
        try:
            return await asyncio.to_thread(what)
        except OSError as error:
            code = _CODES.get(error.errno or 0, "place-fails")
            raise _error(code, self.title, error.strerror or str(error)) from error


def _state(found: os.stat_result) -> State:
    return found.st_size, found.st_mtime_ns


def _error(code: str, place: str, words: str) -> PlaceError:
    facts = {"place": place, "words": words}
    return PlaceError(say(code, "en", **facts), code, facts)
