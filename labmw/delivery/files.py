"""A folder as a destination: one file per message, whole or not there at all, under the message's own number.

For an archive, an interface engine that watches a folder, or a LIS that is not on the network. The receipt says where the file is and what it holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from labmw.delivery.mllp import Unreachable
from labmw.errors import DeliveryError
from protocols.hl7.acknowledgment import Acknowledgment


class FileDrop:
    """Lays messages into one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.stray: Callable[[Acknowledgment, bytes], None] = lambda acknowledgment, raw: None

    async def deliver(self, control_id: str, message: bytes) -> tuple[Acknowledgment, bytes]:
        """Lay one message down and return its receipt; raises Unreachable while the folder cannot be written.

        A file of this number that is there already with the same bytes is a message whose receipt was lost: it is taken as delivered.
        """
        receipt = await asyncio.to_thread(self._lay, control_id, message)
        return Acknowledgment("AA", control_id), receipt

    async def close(self) -> None:
        """Nothing stays open."""

    def _lay(self, control_id: str, message: bytes) -> bytes:
        target = self._folder / f"{control_id}.hl7"
        partial = target.with_name(f".{control_id}.partial")  # who watches the folder sees whole files alone
        receipt = f"{target} sha256={hashlib.sha256(message).hexdigest()}".encode()
        try:
            if target.exists():
                if target.read_bytes() == message:
                    return receipt
                raise DeliveryError(f"{target} is there already with other bytes; look who writes into this folder")
            with contextlib.suppress(FileNotFoundError):
                partial.unlink()
            descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640)
            with os.fdopen(descriptor, "wb") as file:
                file.write(message)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(target)
            self._flush_folder()
        except OSError as error:
            raise Unreachable(
                f"{self._folder} cannot be written ({error}); check that it exists, its permissions and its space",
                "delivery-folder",
                folder=str(self._folder),
                said=str(error),
            ) from error
        return receipt

    def _flush_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
