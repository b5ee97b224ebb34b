"""Every byte of a line, in both directions, with its time, and every accepted frame before it is acknowledged (law 3).

Bytes are noted as they pass and written with the next commit of their session; a frame's own commit carries all bytes up to and
including it, so that what was acknowledged can always be shown. What is left when a session ends is written then.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog

from labmw.clock import Clock, stamp
from labmw.errors import StoreError
from labmw.store import schema, statements
from labmw.store.transaction import Step, Store, Transaction
from protocols.astm.frame import Frame

log = structlog.get_logger("labmw.line")

FLUSH_BYTES = 65536  # noise on a line that never opens a session is written once it has grown to this
FLUSH_PIECES = 256
BEHIND = 4  # submissions that nobody waits for, on their way to the disk, before the line is made to wait
MOST_BEHIND = (
    16  # and before bytes that were promised to nobody are dropped: a disk that hangs must not fill the memory
)


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
        self._carried: int | None = None  # pieces that a commit carries whose outcome is not known
        self._log = log.bind(link=link, peer=peer)
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

    def frame_steps(self, frame: Frame, *, again: bool) -> list[Step]:
        """Return the steps that make a frame durable, with the bytes noted so far. Who commits them then calls `committed`.

        `again` when an earlier attempt may have been committed all the same: the bytes are those of that attempt, so that none is kept
        twice or lost whichever of them counts. The frame's own insert comes first: it is what a second attempt looks for.
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
        return [*steps, Step(statements.INSERT_FRAME, row), *self._carry(again)]

    def block_steps(self, *, again: bool) -> list[Step]:
        """Return the steps that write the bytes noted so far, for a protocol without frames; `again` as for a frame."""
        return [*self._opening(), *self._carry(again)]

    def _carry(self, again: bool) -> list[Step]:
        if not again or self._carried is None:
            self._carried = len(self._pieces)
        carried = tuple(self._pieces[: self._carried])
        return [Step(statements.INSERT_JOURNAL, carried)] if carried else []

    def committed(self) -> None:
        """Forget the bytes that the last commit carried, and count its frame."""
        del self._pieces[: self._carried or 0]
        self._carried = None
        self._bytes = sum(len(piece["data"]) for piece in self._pieces)
        self._touched = self._confirmed = True
        self.frames += 1

    def flush(self) -> None:
        """Write what was noted, without waiting: nothing here is owed to anybody. What a commit in doubt carries stays with it."""
        kept = self._carried or 0
        pieces = tuple(self._pieces[kept:])
        if not pieces:
            return
        del self._pieces[kept:]
        self._bytes, self._touched = 0, True
        self._submit([*self._opening(), Step(statements.INSERT_JOURNAL, pieces)])

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
        self._carried = None
        self.session, self.frames = uuid.uuid4().hex, 0

    async def settled(self, most: int = 0, patience: float = 10.0) -> None:
        """Wait until no more than so many submissions are on their way, or for so many seconds.

        A peer that opens and ends sessions without a pause waits here for the disk, instead of filling the queue of all the others.
        """
        if len(self._pending) <= most:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while len(self._pending) > most:
                    await asyncio.wait(self._pending, return_when=asyncio.FIRST_COMPLETED)

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
        if not self.frames and len(self._pending) >= MOST_BEHIND:
            self._dropped("the store does not keep up")
            return
        try:
            future = self._store.submit(run_steps(steps))
        except StoreError as error:  # the queue is full: these bytes were never promised to anybody
            self._dropped(str(error))
            return
        self._pending.add(future)
        future.add_done_callback(self._done)

    def _done(self, future: asyncio.Future[Any]) -> None:
        self._pending.discard(future)
        if not future.cancelled() and (error := future.exception()) is not None:
            self._dropped(str(error))

    def _dropped(self, why: str) -> None:
        self._log.warning("bytes of the line are not in the journal; nothing of them was acknowledged", why=why)


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
