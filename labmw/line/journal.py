"""Every byte of a line, in both directions, with its time, and every accepted frame before it is acknowledged (law 3).

Bytes are noted as they pass and written with the next commit of their session; a frame's own commit carries all bytes up to and
including it, so that what was acknowledged can always be shown. What is left when a session ends is written then.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from labmw.clock import Clock, stamp
from labmw.errors import StoreError
from labmw.store import schema, statements
from labmw.store.transaction import Step, Store, Transaction
from protocols.astm.frame import Frame

FLUSH_BYTES = 65536  # noise on a line that never opens a session is written once it has grown to this
FLUSH_PIECES = 256


class SessionJournal:
    """The journal of one connection: opens a session row when content arrives, closes it when the session ends."""

    def __init__(self, store: Store, clock: Clock, site: str, link: str, peer: str) -> None:
        self._store, self._clock = store, clock
        self._site, self._link, self._peer = site, link, peer
        self._pieces: list[Mapping[str, Any]] = []
        self._bytes = 0
        self._touched = False  # something of this session was sent to the store
        self._confirmed = False  # and its session row is known to be there
        self._pending: set[asyncio.Future[Any]] = set()
        self.session = uuid.uuid4().hex
        self.frames = 0  # accepted and journalled in this session

    def note(self, direction: str, data: bytes) -> None:
        """Remember bytes that passed: ">" from the analyzer to labmw, "<" from labmw to the analyzer."""
        self._pieces.append(
            {
                "site": self._site,
                "link": self._link,
                "session": self.session,
                "at": stamp(self._clock.now()),
                "direction": direction,
                "data": data,
            }
        )
        self._bytes += len(data)
        if self._bytes >= FLUSH_BYTES or len(self._pieces) >= FLUSH_PIECES:
            self.flush()

    def frame_steps(self, frame: Frame, pieces: int) -> list[Step]:
        """Return the steps that make a frame durable, with so many noted pieces. Who commits them then calls `committed`.

        The frame's own insert comes first: it is what a second attempt looks for.
        """
        steps = self._opening()
        row = {
            "site": self._site,
            "link": self._link,
            "session": self.session,
            "seq": self.frames + 1,
            "number": frame.number,
            "last": int(frame.last),
            "text": frame.text,
            "at": stamp(self._clock.now()),
        }
        steps.append(Step(statements.INSERT_FRAME, row))
        if pieces:
            steps.append(Step(statements.INSERT_JOURNAL, tuple(self._pieces[:pieces])))
        return steps

    def piece_steps(self, pieces: int) -> list[Step]:
        """Return the steps that write so many noted pieces, for a protocol without frames."""
        return [*self._opening(), *([Step(statements.INSERT_JOURNAL, tuple(self._pieces[:pieces]))] if pieces else [])]

    def committed(self, pieces: int) -> None:
        """Forget the bytes that the last commit carried, and count its frame."""
        del self._pieces[:pieces]
        self._bytes = sum(len(piece["data"]) for piece in self._pieces)
        self._touched = self._confirmed = True
        self.frames += 1

    @property
    def noted(self) -> int:
        """How many pieces wait to be written."""
        return len(self._pieces)

    def flush(self) -> None:
        """Write what was noted, without waiting: nothing here is owed to anybody."""
        if not self._pieces:
            return
        steps = [*self._opening(), Step(statements.INSERT_JOURNAL, tuple(self._pieces))]
        self._pieces, self._bytes, self._touched = [], 0, True
        self._submit(steps)

    def close(self, ending: str, at: datetime) -> None:
        """End the session: write the rest, say how it ended, and begin a new one."""
        if self._pieces or self._touched:
            steps = self._opening()
            if self._pieces:
                steps.append(Step(statements.INSERT_JOURNAL, tuple(self._pieces)))
            steps.append(statements.close_session(self._site, self.session, at=stamp(at), why=ending))
            self._submit(steps)
        self._begin()

    def leave_open(self) -> None:
        """Begin a new session and leave this one without an end, for recovery to find: its frames are in no message yet."""
        self.flush()
        self._begin()

    def _begin(self) -> None:
        self._pieces, self._bytes, self._touched, self._confirmed = [], 0, False, False
        self.session, self.frames = uuid.uuid4().hex, 0

    async def settled(self) -> None:
        """Wait for what was submitted; for an orderly end."""
        if self._pending:
            await asyncio.wait(self._pending, timeout=10.0)

    def _opening(self) -> list[Step]:
        if self._confirmed:
            return []  # the statement inserts once: repeating it until a commit is confirmed costs nothing and survives a full disk
        opened = stamp(self._clock.now())
        return [
            statements.insert_once(
                schema.session, id=self.session, site=self._site, link=self._link, peer=self._peer, opened_at=opened
            )
        ]

    def _submit(self, steps: list[Step]) -> None:
        try:
            future = self._store.submit(run_steps(steps))
        except StoreError:  # the queue is full: these bytes were never promised to anybody
            return
        self._pending.add(future)
        future.add_done_callback(self._done)

    def _done(self, future: asyncio.Future[Any]) -> None:
        self._pending.discard(future)
        if not future.cancelled():
            future.exception()  # seen: the frame commits report a store that fails


def keep_frame(steps: Sequence[Step], *, again: bool) -> Transaction[None]:
    """Commit a frame; `again` when an earlier attempt was given up and may have been committed all the same (law 3)."""
    if again:
        frame = next(step.parameters for step in steps if step.statement is statements.INSERT_FRAME)
        assert isinstance(frame, Mapping)
        if (yield statements.frame_at(frame["site"], frame["session"], frame["seq"])):
            return
    for step in steps:  # noqa: UP028 -- `yield from` a list cannot be sent the rows
        yield step


def run_steps(steps: list[Step]) -> Transaction[None]:
    """Run steps whose rows nobody needs."""
    for step in steps:  # noqa: UP028 -- `yield from` a list cannot be sent the rows
        yield step
