"""The store in one SQLite file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from labmw.store.address import sqlite_file
from labmw.store.encryption.passage import Passage
from labmw.store.queued import QueuedStore
from labmw.store.reader import SqliteReader
from labmw.store.revision import require
from labmw.store.transaction import Commit
from labmw.store.writer import Writer


class SqliteStore(QueuedStore):
    """A `Store` (labmw.store.transaction) in one file.

    `group` is how many transactions share a commit at most, `queue` how many may wait, `busy` how many seconds the writer waits
    for another process that writes. `serves`, `key_file` and `as_it_lies` are as for `open_store`. `on_commit` is called in the loop after each
    commit or failed group.
    """

    writer: ClassVar[type[Writer]] = Writer

    def __init__(
        self,
        url: str,
        *,
        group: int = 50,
        queue: int = 10_000,
        busy: float = 5.0,
        serves: bool = False,
        key_file: Path | None = None,
        as_it_lies: bool = False,
        on_commit: Callable[[Commit], None] | None = None,
    ) -> None:
        self.url, self.file = url, sqlite_file(url)
        self._key_file, self._as_it_lies = key_file, as_it_lies
        passage = None if as_it_lies else Passage(key_file, serves=serves)
        super().__init__(str(self.file), limit=queue, passage=passage)
        self._group, self._busy, self._on_commit = group, busy, on_commit

    def require(self) -> None:
        """Raise StoreError when the file is missing or of another revision."""
        require(self.url)

    def make_writer(self, loop: asyncio.AbstractEventLoop) -> Writer:
        """The thread that writes the file."""
        return self.writer(self.file, group=self._group, busy=self._busy, loop=loop, on_commit=self._on_commit)

    def make_reader(self) -> SqliteReader:
        """What reads the file."""
        return SqliteReader(self.url, busy=self._busy, key_file=self._key_file, as_it_lies=self._as_it_lies)
