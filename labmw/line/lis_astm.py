"""One line to an LIS that takes labmw for an instrument: LIS01-A2 with the roles swapped. labmw bids for the line and sends; the LIS sends orders.

Both share one wire, as with any instrument. What the LIS sends is committed frame by frame before its ACK, as what an analyzer sends is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labmw.clock import Clock
from labmw.line.conversation import Terms
from labmw.line.health import LinkHealth
from labmw.line.received import Intake
from labmw.line.speaking import TAKEN, SpeakingConversation
from labmw.line.transport import Wire
from labmw.store.transaction import Store


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
        if self._conversation is None:
            return False
        return await self._conversation.deliver(records, tag) == TAKEN


class LisAstmConversation(SpeakingConversation):
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
        self._prepare()
        self._outlet = outlet

    async def run(self) -> str:
        """Talk until the LIS hangs up; return why it ended."""
        self._outlet.attach(self)
        try:
            return await super().run()
        finally:
            self._outlet.detach(self)
