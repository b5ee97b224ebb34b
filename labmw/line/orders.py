"""What a LAW line asks of the laboratory's worklist, and what it is told; `app` fills the interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from labmw.line.received import Received, Stored
from protocols.hl7.law_values import Query, WorkReply


@dataclass(frozen=True, slots=True)
class Broadcast:
    """One message for the analyzer (LAB-28), on the disk already. Sent again, it is the same bytes under the same MSH-10.

    `lasting`: it speaks of AWOS, and is owed until it is answered; without, it only answers a query (no work) and dies with its connection.
    `again`: it may have been sent before, by this process or an earlier one. `committed`: the analyzer has said that it has stored it (CA),
    and owes its reply: it is not sent again, only waited for.
    """

    control_id: str
    raw: bytes
    lasting: bool = True
    again: bool = False
    committed: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say to a query: the reply at once, then the work. `replaced`: messages without reply that said the same."""

    stored: Stored
    broadcasts: tuple[Broadcast, ...] = ()
    replaced: tuple[str, ...] = ()


class Worklist(Protocol):
    """Every method returns only after the commit, and raises StoreError when nothing may be said."""

    async def query(self, received: Received, query: Query) -> Answer:
        """Keep a query, plan the work it asks for, and say what is to be said."""
        ...

    async def reply(self, received: Received, reply: WorkReply) -> Stored:
        """Keep the analyzer's reply to a message of ours, and what it settles."""
        ...

    async def due(self, link: str, most: int) -> Sequence[Broadcast]:
        """Write the messages for what an analyzer is still to be told: so many at most."""
        ...

    async def waiting(self, link: str) -> Sequence[Broadcast]:
        """The messages that an analyzer was sent, or was about to be, and has not answered."""
        ...

    async def sending_again(self, link: str, control_id: str) -> None:
        """Note that a message is about to be sent once more."""
        ...

    async def unanswered(self, link: str, control_id: str) -> None:
        """Note that the analyzer has not answered, however often it was asked."""
        ...
