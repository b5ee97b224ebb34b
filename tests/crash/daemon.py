"""The daemon, with a trapdoor at one step of a result's life: it kills itself, as the kernel or a power cut would, without a word.

    python tests/crash/daemon.py CONFIG STEP NTH [ack-first | sent-first]

The product has no such switch: the parts are subclassed here, at the places where a step ends. `ack-first` is the variant that breaks
the law: it acknowledges a frame, or a LAW report, and stores it a little later. `sent-first` writes an answer down as taken before it is sent.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labmw import app, exchange
from labmw.app import Laboratory
from labmw.config import load
from labmw.delivery.mllp import MllpSender
from labmw.fitting import lis_line, outboxes
from labmw.lab.astm_worklist import AstmWorklist
from labmw.lab.intake import LaboratoryIntake
from labmw.lab.lis_feed import LisFeed
from labmw.lab.partner_feed import PartnerFeed
from labmw.lab.verification import Verification
from labmw.lab.worklist import LaboratoryWorklist
from labmw.line.conversation import AstmConversation
from labmw.line.file_place import State
from labmw.line.host_query import AskingConversation, Dispatch
from labmw.line.law import LawConversation
from labmw.line.local_folder import LocalFolder
from labmw.line.orders import Answer
from labmw.line.received import Received, Stored
from labmw.line.sftp_folder import SftpFolder
from labmw.store import SqliteStore, is_postgresql
from labmw.store.postgresql.store import PostgresqlStore
from labmw.store.queued import QueuedStore
from labmw.store.transaction import Transaction
from labmw.watch.log import begin
from protocols.astm.events import Event, SendingStarted
from protocols.astm.frame import Frame
from protocols.hl7.acknowledgment import Acknowledgment
from protocols.hl7.er7 import Message
from protocols.hl7.law import Query, WorkReply

STEPS = (
    "frame-not-committed",
    "frame-committed",
    "message-not-committed",
    "message-committed",
    "acknowledged",
    "verdict-not-committed",
    "verdict-committed",
    "report-not-sent",
    "report-sent",
    "report-acknowledged",
    "delivery-committed",
    "query-not-committed",
    "query-committed",
    "order-not-sent",
    "order-sent",
    "order-reply-not-committed",
    "order-reply-committed",
    "control-not-committed",
    "control-committed",
    "lis-message-not-committed",
    "lis-message-committed",
    "answer-not-committed",
    "answer-committed",
    "answer-begun",
    "answer-acknowledged",
    "taken-committed",
    "sub-order-not-sent",
    "sub-order-sent",
    "sub-order-answered",
    "partner-message-not-committed",
    "partner-message-committed",
    "file-laid",
    "answer-laid",
    "file-aside",
    "file-put-away",
)


class Trap:
    """Dies at the nth passage of one step."""

    def __init__(self, step: str, nth: int) -> None:
        self.step, self.left = step, nth

    def passes(self, step: str) -> None:
        if step == self.step:
            self.left -= 1
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


TRAP = Trap(sys.argv[2], int(sys.argv[3])) if __name__ == "__main__" else Trap("", 0)


class TrappedConversation(AstmConversation):
    async def _keep(self, frame: Frame) -> bool:
        ends = self._assembly.completes(frame)
        if not ends:
            TRAP.passes("frame-not-committed")
        kept = await super()._keep(frame)
        if not ends:
            TRAP.passes("frame-committed")
        return kept

    async def _send(self) -> None:
        replies = bool(self._machine.data_to_send)
        await super()._send()
        if replies and self._journal.frames:
            TRAP.passes("acknowledged")


class AckFirst(TrappedConversation):
    """The variant that breaks the law: an ACK, and the disk later."""

    async def _frame(self, frame: Frame) -> list[Event]:
        events = self._machine.accept()
        await self._send()
        await asyncio.sleep(0.02)
        await self._keep(frame)
        return events


class TrappedLaw(LawConversation):
    async def send(self, raw: bytes) -> None:
        TRAP.passes("order-not-sent")
        await super().send(raw)
        if TRAP.step == "order-sent":
            await asyncio.sleep(0.01)  # the bytes are out, the reply is on its way
        TRAP.passes("order-sent")


class LawAckFirst(TrappedLaw):
    """The variant that breaks the law: AA, and the disk later."""

    async def _deliver(self, received: Received) -> Stored:
        if not isinstance(received.message, Message) or received.message.code != "OUL":
            return await super()._deliver(received)
        self._later = asyncio.create_task(self._store(received))
        return Stored(0, "accepted", "", 0, reply=super()._reply(received.message, "AA", None))

    async def _store(self, received: Received) -> None:
        await asyncio.sleep(0.02)
        await super()._deliver(received)


class TrappedWorklist(LaboratoryWorklist):
    async def query(self, received: Received, query: Query) -> Answer:
        TRAP.passes("query-not-committed")
        answer = await super().query(received, query)
        TRAP.passes("query-committed")
        return answer

    async def reply(self, received: Received, reply: WorkReply) -> Stored:
        TRAP.passes("order-reply-not-committed")
        stored = await super().reply(received, reply)
        TRAP.passes("order-reply-committed")
        return stored


class TrappedAsked(AstmWorklist):
    async def answers(self, link: str) -> Sequence[Dispatch]:
        if await self._open(self.links[link]):
            TRAP.passes("answer-not-committed")
        found = await super().answers(link)
        if found:
            TRAP.passes("answer-committed")
        return found

    async def taken(self, link: str, control_id: str) -> None:
        TRAP.passes("answer-acknowledged")
        await super().taken(link, control_id)
        TRAP.passes("taken-committed")


class TrappedAsking(AskingConversation):
    async def _notice(self, event: Event) -> None:
        await super()._notice(event)
        if isinstance(event, SendingStarted):
            await self._send()
            TRAP.passes("answer-begun")


class SentFirst(TrappedAsked):
    """The variant that breaks the law: what is about to be sent is written down as taken."""

    async def answers(self, link: str) -> Sequence[Dispatch]:
        found = await AstmWorklist.answers(self, link)
        for one in found:
            await AstmWorklist.taken(self, link, one.control_id)
        if found:
            TRAP.passes("answer-committed")
        return found


class TrappedIntake(LaboratoryIntake):
    async def take(self, received: Received) -> Stored:
        TRAP.passes("message-not-committed")
        stored = await super().take(received)
        TRAP.passes("message-committed")
        return stored


class TrappedFeed(LisFeed):
    async def take(self, received: Received) -> Stored:
        TRAP.passes("lis-message-not-committed")
        stored = await super().take(received)
        TRAP.passes("lis-message-committed")
        return stored


class FeedAckFirst(LisFeed):
    """The variant that breaks the law: a reply, and the disk later."""

    async def take(self, received: Received) -> Stored:
        assert received.reply is not None
        self._later = asyncio.create_task(self._store_later(received))
        return Stored(0, "accepted", "", 0, reply=received.reply("AA", None))

    async def _store_later(self, received: Received) -> None:
        await asyncio.sleep(0.02)
        TRAP.passes("lis-message-not-committed")
        await super().take(received)


class TrappedVerification(Verification):
    async def _one(self, row: Any) -> None:
        kind = "control" if row.kind == "control" else "verdict"
        TRAP.passes(f"{kind}-not-committed")
        await super()._one(row)
        TRAP.passes(f"{kind}-committed")


class TrappedSender(MllpSender):
    async def deliver(self, control_id: str, message: bytes) -> tuple[Acknowledgment, bytes]:
        TRAP.passes("report-not-sent")
        sending = asyncio.create_task(super().deliver(control_id, message))
        if TRAP.step == "report-sent":
            await asyncio.sleep(0.005)  # the bytes are out, the answer is on its way
            TRAP.passes("report-sent")
        answer = await sending
        TRAP.passes("report-acknowledged")
        return answer


class TrappedPartnerSender(MllpSender):
    async def deliver(self, control_id: str, message: bytes) -> tuple[Acknowledgment, bytes]:
        TRAP.passes("sub-order-not-sent")
        sending = asyncio.create_task(super().deliver(control_id, message))
        if TRAP.step == "sub-order-sent":
            await asyncio.sleep(0.005)  # the bytes are out, the answer is on its way
            TRAP.passes("sub-order-sent")
        answer = await sending
        TRAP.passes("sub-order-answered")
        return answer


class TrappedPartnerFeed(PartnerFeed):
    async def take(self, received: Received) -> Stored:
        TRAP.passes("partner-message-not-committed")
        stored = await super().take(received)
        TRAP.passes("partner-message-committed")
        return stored


class PartnerAckFirst(PartnerFeed):
    """The variant that breaks the law: AA, and the disk later."""

    async def take(self, received: Received) -> Stored:
        assert received.reply is not None
        self._later = asyncio.create_task(self._store_later(received))
        return Stored(0, "accepted", "", 0, reply=received.reply("AA", None))

    async def _store_later(self, received: Received) -> None:
        await asyncio.sleep(0.02)
        TRAP.passes("partner-message-not-committed")
        await super().take(received)


class _TrappedPlace:
    """A folder of a partner, here or on its server."""

    async def set_aside(self, name: str, state: State) -> bool:
        mine: bool = await super().set_aside(name, state)  # type: ignore[misc]
        TRAP.passes("file-aside")
        return mine

    async def put_away(self, name: str, digest: str) -> None:
        await super().put_away(name, digest)  # type: ignore[misc]
        TRAP.passes("file-put-away")

    async def lay(self, name: str, data: bytes, *, replace: bool = False) -> bool:
        mine: bool = await super().lay(name, data, replace=replace)  # type: ignore[misc]
        TRAP.passes("answer-laid" if name.endswith(".ACK") else "file-laid")
        return mine


class TrappedLocal(_TrappedPlace, LocalFolder):
    pass


class TrappedSftp(_TrappedPlace, SftpFolder):
    pass


class _TrappedRun(QueuedStore):
    async def run(self, transaction: Transaction[Any], timeout: float | None = None) -> Any:  # noqa: ASYNC109
        value = await super().run(transaction, timeout)
        if getattr(transaction, "__name__", "") == "_taken":
            TRAP.passes("delivery-committed")
        return value


class TrappedSqlite(_TrappedRun, SqliteStore):
    pass


class TrappedPostgresql(_TrappedRun, PostgresqlStore):
    pass


def trapped_store(url: str, *, group: int, queue: int, serves: bool, key_file: str) -> QueuedStore:
    keys = Path(key_file) if key_file else None
    if is_postgresql(url):
        return TrappedPostgresql(url, group=group, queue=queue, serves=serves, key_file=keys)
    return TrappedSqlite(url, group=group, queue=queue, serves=serves, key_file=keys)


def main() -> int:
    trapped = {
        "LaboratoryIntake": TrappedIntake,
        "LaboratoryWorklist": TrappedWorklist,
        "AstmWorklist": SentFirst if "sent-first" in sys.argv[4:] else TrappedAsked,
        "LisFeed": FeedAckFirst if "ack-first" in sys.argv[4:] and "partner" not in sys.argv[4:] else TrappedFeed,
        "Verification": TrappedVerification,
        "MllpSender": TrappedSender,
        "open_store": trapped_store,
    }
    for name, one in trapped.items():
        places = [module for module in (app, lis_line, outboxes) if hasattr(module, name)]
        assert places
        for module in places:
            setattr(module, name, one)
    wrong = "ack-first" in sys.argv[4:]
    partners = {
        "MllpSender": TrappedPartnerSender,
        "LocalFolder": TrappedLocal,
        "SftpFolder": TrappedSftp,
        "PartnerFeed": PartnerAckFirst if wrong and "partner" in sys.argv[4:] else TrappedPartnerFeed,
    }
    for name, part in partners.items():
        assert hasattr(exchange, name)
        setattr(exchange, name, part)
    conversation, law = (AckFirst, LawAckFirst) if wrong else (TrappedConversation, TrappedLaw)
    begin("lines", {"LABMW_LOG_LEVEL": os.environ.get("LABMW_LOG_LEVEL", "critical")})

    async def run() -> None:
        laboratory = Laboratory(load(Path(sys.argv[1])), astm=conversation, law=law, asking=TrappedAsking)
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        try:
            await laboratory.start()
            await laboratory.wait(stop)
        finally:
            await laboratory.stop()

    asyncio.run(run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
