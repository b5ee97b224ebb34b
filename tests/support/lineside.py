"""One line of a laboratory for the tests: a wire in memory, a real store whose disk can be held or broken, the real intake."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from stage import ALT, SITE, Stage, eventually

from labmw.clock import SYSTEM, Clock
from labmw.driver import Driver, Reading
from labmw.driver import astm as astm_reading
from labmw.driver import hl7 as hl7_reading
from labmw.errors import StoreError
from labmw.lab.intake import LaboratoryIntake
from labmw.line.blocks import Hl7Conversation
from labmw.line.conversation import AstmConversation, Terms
from labmw.line.gathering import Gatherer, Gathering
from labmw.line.health import LinkHealth
from labmw.line.received import Received
from labmw.line.recovery import recover
from labmw.line.registry import Registry
from labmw.store.group import Outcome
from labmw.store.sqlite import SqliteStore
from labmw.store.writer import Writer
from protocols.astm.datalink import Role
from protocols.astm.message import Message as AstmMessage
from protocols.astm.tolerance import STRICT
from protocols.hl7.er7 import Message as Hl7Message
from rules.pack import Packs

ZONE = ZoneInfo("Europe/Paris")
LINK = "analyzer"


class Disk:
    """What a disk can do to a store: take its time, or fail."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.ready.set()
        self.broken = False
        self.commits = 0
        self.asked = 0  # how often it was to make something durable


class _Writer(Writer):
    disk: Disk

    def settle(self, connection: sqlite3.Connection, outcomes: list[Outcome], began: float) -> None:
        self.disk.asked += 1
        self.disk.ready.wait(60)
        if self.disk.broken:
            raise StoreError("the disk is full; free space there")
        super().settle(connection, outcomes, began)
        self.disk.commits += 1


def store_on(url: str, disk: Disk, *, serves: bool = False, **settings: Any) -> SqliteStore:
    """A real store on such a disk; the daemon says that it serves, which a file's own lock knows."""
    del serves
    settings["key_file"] = Path(settings["key_file"]) if settings.get("key_file") else None
    writer = type("WriterOnDisk", (_Writer,), {"disk": disk})
    return type("StoreOnDisk", (SqliteStore,), {"writer": writer})(url, **settings)  # type: ignore[no-any-return]


class MemoryWire:
    """A wire whose other end is the test."""

    def __init__(self, peer: str = "192.0.2.1:4000") -> None:
        self.peer, self.lost, self.closed = peer, False, False
        self.out = bytearray()
        self._in: asyncio.Queue[bytes] = asyncio.Queue()
        self._more = asyncio.Event()
        self._listens = False

    async def read(self) -> bytes:
        self._listens = True
        try:
            return await self._in.get()
        finally:
            self._listens = False

    @property
    def quiet(self) -> bool:
        """Whether labmw has dealt with all that was said, and listens for more."""
        return self._listens and self._in.empty()

    def write(self, data: bytes) -> None:
        self.out += data
        self._more.set()

    async def drain(self) -> None:
        return None

    async def close(self) -> None:
        self.closed = True

    def say(self, data: bytes) -> None:
        """Send bytes to labmw."""
        if data:
            self._in.put_nowait(data)

    def hang_up(self, *, lost: bool = False) -> None:
        self.lost = lost
        self._in.put_nowait(b"")

    async def answer(self, count: int = 1, *, within: float = 60.0) -> bytes:
        """Wait for so many bytes from labmw."""
        async with asyncio.timeout(within):
            while len(self.out) < count:
                self._more.clear()
                await self._more.wait()
        answer = bytes(self.out[:count])
        del self.out[:count]
        return answer

    async def until(self, end: bytes, *, within: float = 60.0) -> bytes:
        """Wait for bytes that end so."""
        async with asyncio.timeout(within):
            while end not in self.out:
                self._more.clear()
                await self._more.wait()
        return await self.answer(self.out.index(end) + len(end))

    async def ask(self, data: bytes) -> bytes:
        """Send bytes and wait for the one byte that answers them."""
        self.say(data)
        return await self.answer()


@dataclass(slots=True)
class Lineside:
    """A store, an intake and the lines that lead to them."""

    stage: Stage
    disk: Disk
    store: SqliteStore
    intake: LaboratoryIntake
    health: LinkHealth
    clock: Clock = SYSTEM
    tasks: list[asyncio.Task[str]] = field(default_factory=list)

    def terms(self, **settings: Any) -> Terms:
        common: dict[str, Any] = {
            "site": SITE,
            "link": LINK,
            "role": Role.COMPUTER,
            "tolerances": STRICT,
            "encoding": "latin-1",
            "driver": None,
        }
        return Terms(**{**common, **settings})

    def converse(
        self,
        kind: type[AstmConversation] | type[Hl7Conversation] = AstmConversation,
        wire: MemoryWire | None = None,
        **settings: Any,
    ) -> MemoryWire:
        """Open a connection; what is returned is its other end."""
        wire = wire or MemoryWire()
        talk = kind(wire, self.terms(**settings), self.store, self.intake, self.health, self.clock)
        self.tasks.append(asyncio.create_task(talk.run()))
        return wire

    async def ended(self) -> list[str]:
        """Wait for every conversation; returns how they ended."""
        async with asyncio.timeout(60):
            return await asyncio.gather(*self.tasks)

    async def recover(self, gathering: Callable[[str], Gatherer] = lambda link: Gathering()) -> int:
        return await recover(SITE, self.store, self.intake, self.clock, gathering)

    def ask(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        return self.stage.ask(sql, *values)

    def bytes_of(self, sql: str, *values: object) -> list[bytes]:
        """The first column of an answer, as bytes."""
        found = [row[0] for row in self.ask(sql, *values)]
        assert all(isinstance(one, bytes) for one in found)
        return [one for one in found if isinstance(one, bytes)]

    def passed(self, direction: str) -> bytes:
        """Every byte of the journal in one direction, in order."""
        return b"".join(self.bytes_of("SELECT data FROM journal WHERE direction = ? ORDER BY id", direction))

    def count(self, sql: str, *values: object) -> int:
        """The one number of an answer."""
        return int(str(self.ask(sql, *values)[0][0]))

    async def until(self, sql: str, rows: list[tuple[object, ...]]) -> None:
        """Wait until a question has this answer; on failure the last answer is shown."""
        with contextlib.suppress(TimeoutError):
            await eventually(lambda: self.ask(sql) == rows)
        assert self.ask(sql) == rows


def read_with(driver: Driver, registry: Registry) -> Callable[[Received], Reading]:
    """Read as the daemon does, with one driver for every ASTM message."""

    def read(received: Received) -> Reading:
        message = received.message
        if isinstance(message, Hl7Message):
            return hl7_reading.read(message, registry.reader(registry.recognise_hl7(message), "hl7"), zone=ZONE)
        assert isinstance(message, AstmMessage)
        return astm_reading.read(message, driver, zone=ZONE, tolerances_used=received.tolerances)

    return read


@contextlib.asynccontextmanager
async def lineside(
    folder: Path,
    specimens: Iterable[str] = (),
    *,
    driver: Driver | None = None,
    loincs: Sequence[str] = (ALT,),
    commit_timeout: float = 10.0,
    packs: Packs | None = None,
    read: Callable[[Received], Reading] | None = None,
    **settings: Any,
) -> AsyncIterator[Lineside]:
    """A line with its store; everything is ended and closed afterwards."""
    stage = Stage(folder, 0, 0)
    if not stage.database.exists():
        stage.build(specimens, loincs=loincs)
    registry, disk = Registry.find(), Disk()
    store = store_on(f"sqlite:///{stage.database}", disk, **settings)
    await store.start()
    intake = LaboratoryIntake(
        SITE,
        store,
        SYSTEM,
        read or read_with(driver or registry.named("erba-xl"), registry),
        lambda: packs or Packs(),
        lambda: None,
        commit_timeout,
    )
    line = Lineside(stage, disk, store, intake, LinkHealth(SITE, LINK, SYSTEM))
    try:
        yield line
    finally:
        disk.broken = False
        disk.ready.set()
        for task in line.tasks:
            task.cancel()
        await asyncio.gather(*line.tasks, return_exceptions=True)
        await store.stop()
