"""How is what a wire says kept in a file while it is said? The .wire format, on the disk after every piece.

The process may be killed at any moment: what was written before is there, and is a capture.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from labmw.errors import LinkError
from labmw.phrases import say
from protocols.capture import FROM_INSTRUMENT, Piece, dumps

LONGEST = 1024
"""Bytes of one piece; a longer one is written as several."""
_TICK = Decimal("0.001")


class Recording:
    """A new capture file, readable by its owner alone: it holds patients. Raises LinkError when it cannot be made or written."""

    def __init__(self, file: Path, comment: str) -> None:
        self.file = file
        self.pieces = self.bytes = 0
        self._last = Decimal(0)
        try:
            self._descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            folder = os.open(file.absolute().parent, os.O_RDONLY | os.O_CLOEXEC)
        except FileExistsError:
            raise _unkept("recording-there", file) from None
        except OSError as error:
            raise _unkept("recording-unwritten", file, str(error.strerror)) from None
        try:
            self._write(dumps((), comment))
            os.fsync(folder)  # the name itself
        finally:
            os.close(folder)

    def comment(self, text: str) -> None:
        """Write a comment."""
        self._write(dumps((), text))

    def said(self, seconds: float, data: bytes) -> None:
        """Write what the instrument said, so many seconds after the start."""
        self._last = max(self._last, Decimal(seconds).quantize(_TICK))
        cut: Sequence[bytes] = [data[at : at + LONGEST] for at in range(0, len(data), LONGEST)]
        self._write(dumps(Piece(self._last, FROM_INSTRUMENT, one) for one in cut))
        self.pieces += len(cut)
        self.bytes += len(data)

    def close(self) -> None:
        """End the file; safe to call twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _write(self, text: str) -> None:
        data = text.encode()
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
            os.fsync(self._descriptor)
        except OSError as error:
            raise _unkept("recording-stopped", self.file, str(error.strerror)) from None


def _unkept(code: str, file: Path, why: str = "") -> LinkError:
    facts = {"file": str(file), "why": why} if why else {"file": str(file)}
    return LinkError(say(code, "en", **facts), code, facts)
