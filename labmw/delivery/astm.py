"""How do messages get to an LIS over LIS01-A2? Every frame acknowledged is as good as AA; what failed is offered again by the outbox."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from labmw.clock import Clock
from labmw.delivery.lis02 import Lis02Writer
from labmw.delivery.mllp import Silent, Unreachable
from labmw.line.lis_astm import AstmOutlet
from protocols.hl7.acknowledgment import Acknowledgment


def _nobody(acknowledgment: Acknowledgment, raw: bytes) -> None:
    """LIS01 acknowledges the frame that was sent, or none: nothing comes late."""


class AstmSender:
    """Sends one message at a time over the line to the LIS."""

    def __init__(self, outlet: AstmOutlet, patience: float) -> None:
        self._outlet, self._patience = outlet, patience
        self.stray: Callable[[Acknowledgment, bytes], None] = _nobody

    async def deliver(self, control_id: str, message: bytes) -> tuple[Acknowledgment, bytes]:
        """Send one message; raises Unreachable without a line, Silent when it was not acknowledged whole."""
        if not self._outlet.open:
            raise Unreachable("there is no line to the LIS; check that it listens, and the cable", "delivery-no-line")
        records = [line + b"\r" for line in message.split(b"\r") if line]
        try:
            async with asyncio.timeout(self._patience):
                taken = await self._outlet.send(records, control_id)
        except TimeoutError:
            late = f"{self._patience:g}"
            text = f"the LIS did not acknowledge within {late} s; look whether it is busy"
            raise Silent(text, "delivery-line-late", seconds_waited=late) from None
        if not taken:
            raise Silent("the LIS did not acknowledge the message; look at its interface log", "delivery-line-refused")
        return Acknowledgment("AA", control_id), b"\x06"

    async def close(self) -> None:
        """The line is closed by whoever opened it."""


@dataclass(slots=True)
class AstmAsking:
    """Asks about a tube (Q record) and waits for orders, or for the word that there is nothing. One question at a time (LIS02-A2 §11)."""

    sender: AstmSender
    writer: Lis02Writer
    name: str
    receiver: str
    zone: ZoneInfo
    clock: Clock
    _line: asyncio.Lock = field(default_factory=asyncio.Lock)
    _answer: asyncio.Future[bool] | None = None

    async def __call__(self, tube: str) -> bool:
        """Send the query; False when the LIS says that it knows of nothing."""
        async with self._line:
            self._answer = asyncio.get_running_loop().create_future()
            try:
                number = uuid.uuid4().hex[:20].upper()
                when = self.clock.now().astimezone(self.zone).strftime("%Y%m%d%H%M%S")
                query = self.writer.query(number, self.name, self.receiver, when, tube)
                await self.sender.deliver(number, query)
                return await self._answer
            finally:
                self._answer = None

    def heard(self, nothing: bool) -> None:
        """The LIS has sent a message: orders, or that there is nothing."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(not nothing)
