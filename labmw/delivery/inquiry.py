"""What does the LIS know of a tube that an analyzer asks about and nobody has ordered anything on? It is asked, within the analyzer's patience.

The question is that of an analyzer to us (QBP^Q11, WOS by container): an LIS that answers analyzers answers this. What it orders comes by its own
line as every order does, and is waited for; "nothing" is believed, silence is not.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from zoneinfo import ZoneInfo

import structlog

from labmw.clock import Clock
from labmw.errors import DeliveryError
from labmw.metrics import LIS_QUERIES
from labmw.store import statements
from labmw.store.transaction import Store, Transaction
from protocols.errors import Hl7Error
from protocols.hl7.acknowledgment import Acknowledgment
from protocols.hl7.datatypes import Code
from protocols.hl7.er7 import Message
from protocols.hl7.law_query import read_query_answer, write_query
from protocols.hl7.law_values import Query
from protocols.hl7.profile import QueryBy
from protocols.hl7.report import Header

log = structlog.get_logger("labmw.delivery")

LOOK_EVERY = 0.05  # seconds between looks for the orders that were asked for


class Said(StrEnum):
    """What came of asking."""

    KNOWN = "known"  # there was no need to ask
    ORDERED = "ordered"
    NOTHING = "nothing"  # the LIS has answered that there is nothing
    UNANSWERED = "unanswered"


class Asking(Protocol):
    """How a tube is asked about: the LIS's word that there is something (True) or nothing (False); raises DeliveryError for none."""

    def __call__(self, tube: str) -> Awaitable[bool]:
        """Ask about one tube."""
        ...


@dataclass(slots=True)
class Inquiry:
    """Asks the LIS about tubes that are not known; about each once at a time. `patience`: seconds in all."""

    site: str
    store: Store
    ask: Asking
    patience: float
    _asked: dict[str, asyncio.Task[Said]] = field(default_factory=dict)

    async def about(self, tube: str) -> Said:
        """Have the orders of a tube, if the LIS has any: from the store, else from the LIS."""
        if await self.store.view(_known(self.site, tube)):
            return Said.KNOWN
        task = self._asked.get(tube)
        if task is None:
            task = self._asked[tube] = asyncio.create_task(self._inquire(tube), name=f"inquiry about {tube}")
            task.add_done_callback(lambda _: self._asked.pop(tube, None))
        return await asyncio.shield(task)

    async def _inquire(self, tube: str) -> Said:
        said = Said.UNANSWERED
        try:
            async with asyncio.timeout(self.patience):
                if not await self.ask(tube):
                    said = Said.NOTHING
                else:
                    # Orders come by another line, or from a person at another process: the store is where they meet.
                    while not await self.store.view(_known(self.site, tube)):  # noqa: ASYNC110
                        await asyncio.sleep(LOOK_EVERY)
                    said = Said.ORDERED
        except TimeoutError:
            log.warning("the LIS has not answered for a tube in time", patience=self.patience)
        except (DeliveryError, Hl7Error) as error:
            log.warning("the LIS could not be asked about a tube", why=str(error))
        LIS_QUERIES.labels(said.value).inc()
        return said


def _known(site: str, tube: str) -> Transaction[bool]:
    return bool((yield statements.orders_among(site, [tube])) or (yield statements.specimens_among(site, [tube])))


Deliver = Callable[[str, bytes], Awaitable[tuple[Acknowledgment, bytes]]]
_BY_CONTAINER = Code("WOS", "Work Order Step", "IHELAW")


@dataclass(frozen=True, slots=True)
class Hl7Asking:
    """Asks over MLLP, on a connection of its own: a report under way does not keep an analyzer waiting."""

    deliver: Deliver
    sender: str  # MSH-3
    site: str
    receiver: str  # MSH-5
    facility: str
    zone: ZoneInfo
    clock: Clock

    async def __call__(self, tube: str) -> bool:
        """Send the query and read QAK-2: OK, or NF for nothing."""
        number = uuid.uuid4().hex[:20].upper()
        when = self.clock.now().astimezone(self.zone).strftime("%Y%m%d%H%M%S%z")
        header = Header(self.sender, self.site, self.receiver, self.facility, when, number)
        query = Query(header, _BY_CONTAINER, QueryBy.CONTAINER, tag=number, container=tube)
        acknowledgment, raw = await self.deliver(number, write_query(query))
        if acknowledgment.code == "AR":
            raise DeliveryError(
                f"the LIS does not serve queries ({acknowledgment.text or 'AR'}); set lis.query_patience to 0"
            )
        answer = read_query_answer(Message.parse(raw))
        if answer.code != "AA":
            raise DeliveryError(f"the LIS answered {answer.code} to a query; look at its interface log")
        return answer.status != "NF"
