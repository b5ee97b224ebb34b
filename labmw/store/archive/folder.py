"""How do the files of the archive get onto the disk for good, and off it? A folder for each removal, whole or not there, with names that say nothing of anybody.

FOLDER/3f/3fa2…/manifest.json   which pieces there are, with their digests, and the digest of the manifest before
                results.lines   a piece, lines of JSON; results.sealed where it is encrypted
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from labmw.errors import StoreError

MANIFEST: Final = "manifest.json"
MOST_MANIFEST: Final = 65536  # bytes
_PARTIAL: Final = ".partial"
_NAME: Final = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class ArchiveFolder:
    """The configured folder (retention.archive_folder)."""

    root: Path

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """One command at a time changes the archive; raises StoreError when another one does, or when the folder cannot be written."""
        try:
            with (self.root / ".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield
        except BlockingIOError:
            raise StoreError(
                f"another command is at work in the archive {self.root}; wait until it has ended"
            ) from None
        except OSError as error:
            raise self._unwritable(error) from error

    def in_use(self) -> bool:
        """Whether a command is changing the archive now."""
        try:
            with (self.root / ".lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def write(self, name: str, files: Mapping[str, bytes]) -> None:
        """Write the files of a removal; when this returns they are on the disk, under their names. Raises StoreError."""
        place = self._place(name)
        partial = place.with_name(place.name + _PARTIAL)
        try:
            if not place.parent.exists():
                place.parent.mkdir(mode=0o700)
                _flush(self.root)
            partial.mkdir(mode=0o700)
            for file, data in files.items():
                with os.fdopen(os.open(partial / file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out:
                    out.write(data)
                    out.flush()
                    os.fsync(out.fileno())
            _flush(partial)
            partial.rename(place)
            _flush(place.parent)
        except OSError as error:
            raise self._unwritable(error) from error

    def read(self, name: str, file: str, size: int) -> bytes:
        """A file of a removal, which is not longer than this; raises StoreError when it is not there, or is longer."""
        path = self._place(name) / file
        try:
            with path.open("rb") as opened:
                data = opened.read(size + 1)
        except OSError as error:
            raise StoreError(f"{path} of the archive cannot be read ({error}); put its copy in its place") from error
        if len(data) > size:
            raise StoreError(f"{path} of the archive is longer than it was written; put its copy in its place")
        return data

    def has(self, name: str, file: str) -> bool:
        """Whether there is such a file."""
        return (self._place(name) / file).exists()

    def remove(self, name: str, file: str) -> None:
        """Overwrite a file and remove it; nothing happens where there is none. Raises StoreError."""
        path = self._place(name) / file
        try:
            if not path.exists():
                return
            with path.open("r+b") as out:
                for _ in range(0, path.stat().st_size, 1 << 20):
                    out.write(bytes(min(1 << 20, path.stat().st_size - out.tell())))
                out.flush()
                os.fsync(out.fileno())
            path.unlink()
            _flush(path.parent)
        except OSError as error:
            raise self._unwritable(error) from error

    def discard(self, name: str) -> None:
        """Remove what a removal that was cut off has left, whole or in part. Raises StoreError."""
        place = self._place(name)
        try:
            for path in (place, place.with_name(place.name + _PARTIAL)):
                if path.exists():
                    shutil.rmtree(path)
                    _flush(path.parent)
        except OSError as error:
            raise self._unwritable(error) from error

    def names(self) -> Iterator[str]:
        """Whatever lies in the folder, by its name; raises StoreError."""
        try:
            for part in sorted(self.root.iterdir()):
                if part.name == ".lock":
                    continue
                if not (part.is_dir() and len(part.name) == 2):
                    yield part.name
                    continue
                yield from (one.name for one in sorted(part.iterdir()))
        except OSError as error:
            raise StoreError(
                f"the archive {self.root} cannot be read ({error}); check retention.archive_folder"
            ) from error

    def _place(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise StoreError(f"{name!r} is no name of the archive; the store was changed: run `labmw audit verify`")
        return self.root / name[:2] / name

    def _unwritable(self, error: OSError) -> StoreError:
        return StoreError(
            f"the archive {self.root} cannot be written ({error}); check retention.archive_folder and its space"
        )


def digest(data: bytes) -> str:
    """What the store, the manifest and the audit say of a file."""
    return hashlib.sha256(data).hexdigest()


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
