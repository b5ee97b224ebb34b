"""One connection on which the LIS speaks: HL7 over MLLP, as on any line, but its bytes are kept once, in their message, and not in the journal.

What the LIS sends names patients in full, the INS included. An INS that is withdrawn has to go from every copy (PAM.FR, A47): a message can be
found by its patient, a piece of a stream of bytes cannot. What never became a message was not acknowledged, and the LIS has it still.
"""

from __future__ import annotations

from labmw.clock import Clock
from labmw.line.blocks import Hl7Conversation
from labmw.line.conversation import Terms
from labmw.line.health import LinkHealth
from labmw.line.journal import SessionJournal
from labmw.line.received import Envelopes, Intake
from labmw.line.replying import Replying
from labmw.line.transport import Wire
from labmw.store.transaction import Store


class _Unwritten(SessionJournal):
    """The journal of a connection whose bytes are not written: sessions and messages are, as everywhere."""

    def note(self, direction: str, data: bytes) -> None:
        """Bytes passed; the message they make is kept whole."""


class LisConversation(Hl7Conversation):
    """Runs one connection of the LIS until it ends."""

    def __init__(
        self,
        wire: Wire,
        terms: Terms,
        store: Store,
        intake: Intake,
        health: LinkHealth,
        clock: Clock,
        *,
        replying: Replying | None = None,
        envelopes: Envelopes | None = None,
    ) -> None:
        super().__init__(wire, terms, store, intake, health, clock, replying=replying, envelopes=envelopes)
        self._journal = _Unwritten(store, clock, terms.site, terms.link, wire.peer)
