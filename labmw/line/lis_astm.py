"""One line to an LIS that takes labmw for an instrument: LIS01-A2 with the roles swapped. labmw bids for the line and sends; the LIS sends orders.

Both share one wire, as with any instrument. What the LIS sends is committed frame by frame before its ACK, as what an analyzer sends is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from labmw.clock import Clock
from labmw.line.conversation import AstmConversation, Terms
from labmw.line.health import LinkHealth
from labmw.line.received import Intake
from labmw.line.transport import Wire
from labmw.store.transaction import Store
from protocols.astm.events import Event, MessageSent, SendFailed


@dataclass(slots=True)
class AstmOutlet:
    """Where messages to the LIS leave, while there is a line."""

    _conversation: LisAstmConversation | None = None

    @property
    def open(self) -> bool:
        """Whether there is a line."""
        return self._conversation is not None

    def attach(self, conversation: LisAstmConversation) -> None:
        """A line is there."""
        self._conversation = conversation

    def detach(self, conversation: LisAstmConversation) -> None:
        """A line is gone."""
        if self._conversation is conversation:
            self._conversation = None

    async def send(self, records: Sequence[bytes], tag: str) -> bool:
        """Send a message; True once every frame is acknowledged, False when this attempt failed. Without a line, False."""
        return await self._conversation.deliver(records, tag) if self._conversation is not None else False


@dataclass(eq=False, slots=True)
class _Errand:
    """One message on its way."""

    records: Sequence[bytes]
    tag: str
    done: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class LisAstmConversation(AstmConversation):
    """Runs one connection to the LIS until it ends."""

    def __init__(
        self,
        wire: Wire,
        terms: Terms,
        store: Store,
        intake: Intake,
        health: LinkHealth,
        clock: Clock,
        outlet: AstmOutlet,
    ) -> None:
        super().__init__(wire, terms, store, intake, health, clock)
        self._outlet = outlet
        self._errands: dict[str, _Errand] = {}
        self._new: list[_Errand] = []
        self._poked = asyncio.Event()
        self._reading: asyncio.Task[bytes] | None = None

    async def run(self) -> str:
        """Talk until the LIS hangs up; return why it ended."""
        self._outlet.attach(self)
        try:
            return await super().run()
        finally:
            self._outlet.detach(self)
            if self._reading is not None:
                self._reading.cancel()
                await asyncio.wait({self._reading})
            for errand in self._errands.values():
                _settle(errand, taken=False)

    async def deliver(self, records: Sequence[bytes], tag: str) -> bool:
        """Send one message; True once it is acknowledged whole, False when the attempt failed."""
        errand = _Errand(records, tag)
        self._errands[tag] = errand
        self._new.append(errand)
        self._poked.set()
        try:
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
                with contextlib.suppress(asyncio.CancelledError):
                    await poked
            if self._reading.done():
                reading, self._reading = self._reading, None
                return reading.result()

    async def _notice(self, event: Event) -> None:
        match event:
            case MessageSent(tag=tag):
                self._settled(tag, taken=True)
            case SendFailed(tag=tag):
                self._settled(tag, taken=False)
            case _:
                pass
        await super()._notice(event)

    def _settled(self, tag: object, *, taken: bool) -> None:
        if isinstance(tag, str) and (errand := self._errands.get(tag)) is not None:
            _settle(errand, taken=taken)


def _settle(errand: _Errand, *, taken: bool) -> None:
    if not errand.done.done():
        errand.done.set_result(taken)
