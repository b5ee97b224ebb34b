"""A connection over which labmw also speaks of its own accord: LIS01-A2 in both directions on one wire.

Whoever has a message to send waits here until the other side has acknowledged every frame of it, or the attempt has failed; whether it is
tried again is its business. Busy lines, contention, refusals and silence are the machine's (protocols.astm).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from labmw.line.conversation import AstmConversation
from protocols.astm.datalink import DataLink
from protocols.astm.events import Event, MessageSent, SendFailed, SendingStarted

TAKEN = ""
"""What comes of a message that was acknowledged whole."""
TOO_LATE = "too-late"
"""It could not leave in time: the line was busy, and nothing of it was sent."""
HUNG_UP = "hang-up"
NOT_SENT = "not-sent"
UNHEARD = frozenset({TOO_LATE, "enq-unanswered", NOT_SENT})
"""Why an attempt failed of which the other side has seen no frame."""


@dataclass(eq=False, slots=True)
class _Errand:
    """One message on its way."""

    records: Sequence[bytes]
    tag: str
    begun: bool = False  # a frame of it has left
    done: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def settle(self, reason: str) -> None:
        """Say what came of it."""
        if not self.done.done():
            self.done.set_result(reason if self.begun or reason in {TAKEN, *UNHEARD} else NOT_SENT)


class SpeakingConversation(AstmConversation):
    """Runs one connection until it ends, and sends what it is given meanwhile."""

    _errands: dict[str, _Errand]
    _machine: DataLink

    def _prepare(self) -> None:
        """Be ready to be given messages; called once, by who makes the conversation."""
        self._errands = {}
        self._new: list[_Errand] = []
        self._poked = asyncio.Event()
        self._reading: asyncio.Task[bytes] | None = None

    async def run(self) -> str:
        """Talk until the other side hangs up; return why it ended."""
        try:
            return await super().run()
        finally:
            if self._reading is not None:
                self._reading.cancel()
                await asyncio.wait({self._reading})
            for errand in self._errands.values():
                errand.settle(HUNG_UP)

    async def deliver(self, records: Sequence[bytes], tag: str, within: float | None = None) -> str:
        """Send one message; return TAKEN once it is acknowledged whole, else why the attempt failed.

        `within`: seconds until it is too late to begin. What has begun is always brought to its end.
        """
        errand = _Errand(records, tag)
        self._errands[tag] = errand
        self._new.append(errand)
        self._poked.set()
        try:
            done, _ = await asyncio.wait({errand.done}, timeout=within)
            if not done and (errand in self._new or self._machine.withdraw(tag)):
                return TOO_LATE
            return await errand.done
        finally:
            self._errands.pop(tag, None)
            if errand in self._new:
                self._new.remove(errand)
            # Who sent it decides whether it is sent again: the machine must not offer it by itself.
            self._machine.withdraw(tag)

    async def _read(self) -> bytes | None:
        """Return bytes, or None when a timer has expired; what is to be sent meanwhile is sent."""
        loop = asyncio.get_running_loop()
        while True:
            while self._new:
                errand = self._new.pop(0)
                await self._work(self._machine.send(errand.records, errand.tag))
            self._poked.clear()
            until = self._until()
            if until is not None and until <= loop.time():
                return None
            if self._reading is None:
                self._reading = asyncio.create_task(self._wire.read())
            poked = asyncio.create_task(self._poked.wait())
            try:
                await asyncio.wait(
                    {self._reading, poked},
                    timeout=None if until is None else until - loop.time(),
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                poked.cancel()
                await asyncio.wait(
                    {poked}
                )  # not `await poked`: a cancellation of ours that comes now is not to be taken for its
            if self._reading.done():
                reading, self._reading = self._reading, None
                return reading.result()

    async def _notice(self, event: Event) -> None:
        match event:
            case SendingStarted(tag=tag) if (errand := self._errand(tag)) is not None:
                errand.begun = True
            case MessageSent(tag=tag):
                self._settle(tag, TAKEN)
            case SendFailed(tag=tag, reason=reason):
                self._settle(tag, str(reason))
            case _:
                pass
        await super()._notice(event)

    def _settle(self, tag: object, reason: str) -> None:
        if (errand := self._errand(tag)) is not None:
            errand.settle(reason)
        self._journal.flush()  # what was said, and how it was answered, is evidence too

    def _errand(self, tag: object) -> _Errand | None:
        return self._errands.get(tag) if isinstance(tag, str) else None
