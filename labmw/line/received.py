"""What a line hands to the laboratory, and what it asks of it; `app` fills these interfaces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from labmw.driver.reading import Reading
from labmw.store.transaction import Step
from protocols.hl7.acknowledgment import ErrorDetail
from protocols.hl7.law_values import StatusChange

UNTERMINATED = -1
"""The place of what a session left without L: it shares its last frame with no complete message."""


ACKNOWLEDGED = frozenset({"eot", "closed"})
"""Endings of a session after which its sender knows what we acknowledged; after any other it may send again (law 5)."""


@dataclass(frozen=True, slots=True)
class Received:
    """One message off the wire, not yet acknowledged.

    `before` are the steps of the journal that must be in the same transaction: the frame that ends the message and the bytes around it.
    `first` and `last` number the message's frames within its session; `complete` is False when the session ended before L.
    """

    link: str
    session: str
    peer: str
    protocol: str
    first: int
    last: int
    place: int  # several messages may end in one frame: which of them, from 0
    received_at: datetime
    raw: bytes
    message: object  # protocols.astm.message.Message or protocols.hl7.er7.Message
    tolerances: tuple[str, ...] = ()
    before: Sequence[Step] = field(default=())
    control_id: str = ""  # MSH-10: the same bytes under the same number get the reply that was stored
    answer: Callable[[Reading], bytes] | None = None  # makes the HL7 acknowledgment, to be stored with the message
    first_attempt: bool = False  # nothing of it can be in the store from an earlier attempt in this session
    change: StatusChange | None = None  # of a LAW line: what the message says of which AWOS
    reply: Callable[[str, ErrorDetail | None], bytes] | None = None  # the general HL7 acknowledgment with this MSA-1
    apart: bool = False  # the sender is told first that it is stored (CA): from then on its application reply is owed
    accept: str = ""  # MSH-15 of that reply


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a message once its transaction was committed."""

    message: int
    disposition: str
    reason: str
    results: int
    repeat: bool = False
    reply: bytes = b""  # the HL7 acknowledgment to send, stored with the message
    tolerances: tuple[str, ...] = ()  # what the sender got wrong and was borne with
    moved: tuple[str, ...] = ()  # the states that AWOS have come to


class Intake(Protocol):
    """The way into the laboratory: returns only after the commit; raises StoreError when nothing may be acknowledged."""

    async def take(self, received: Received) -> Stored:
        """Store a message and its results in one transaction."""
        ...


class Envelopes(Protocol):
    """Where the envelope of a batch goes that does not fit its messages."""

    async def faulty(self, received: Received, faults: Sequence[str]) -> None:
        """Keep the lines of an envelope, for a person; raises StoreError."""
        ...
