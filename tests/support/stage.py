"""A small laboratory for the journeys: a signed pack, a preloaded store, an analyzer that keeps what is not acknowledged, an LIS that lists."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import getpass
import itertools
import os
import re
import shutil
import socket
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from atrest import as_read
from ports import free_port as free_port  # noqa: PLC0414 - the stage hands it on
from postgresql_server import say, write

from labmw.store import migrate
from labmw.store.encryption import key_file
from protocols.astm.frame import cut, encode
from rules.pack import SHIPPED, load
from rules.signature import Signature, as_toml

SITE = "TEST"
ALT = "1742-6"


@functools.cache
def empty() -> Path:
    """An up-to-date store, to be copied: making one takes longer than many a test."""
    file = Path(tempfile.mkdtemp(prefix="labmw-empty-")) / "labmw.db"
    atexit.register(shutil.rmtree, file.parent)
    migrate(f"sqlite:///{file}")
    return file


UNTOLD = "untold"
"""The `url` of a stage that is not told where its store lies."""

CHOSEN: list[Callable[[Path], str]] = [lambda _: ""]
"""Where it lies then, by the stage's folder: "" for a file in it, or the address of a store in PostgreSQL (both_databases.py)."""

KEY_FILE = [os.environ.get("LABMW_TEST_KEY_FILE", "")]
"""The same of the key file: LABMW_TEST_KEY_FILE=store.key plays every journey with one, `at_rest` (tests/journeys/conftest.py) some of them always."""


def listens(port: int) -> bool:
    """Whether somebody listens on this port."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@dataclass(slots=True)
class Stage:
    """Where a journey is played: its folder, the configuration file and the ports."""

    folder: Path
    analyzer_port: int
    lis_port: int
    extra: str = ""
    url: str = UNTOLD  # of a store in PostgreSQL, up to date and empty; "" = a file in the folder
    key_file: str = field(
        default_factory=lambda: KEY_FILE[0]
    )  # the name of a key file that is made: bytes are encrypted

    def __post_init__(self) -> None:
        if self.url == UNTOLD:
            self.url = CHOSEN[0](self.folder)

    @property
    def config(self) -> Path:
        return self.folder / "labmw.toml"

    @property
    def database(self) -> Path:
        return self.folder / "labmw.db"

    def build(
        self, specimens: Iterable[str], *, link: str = 'driver = "erba-xl"', loincs: Sequence[str] = (ALT,)
    ) -> Stage:
        """Write the configuration, sign the chemistry pack, and make a store that expects these specimens."""
        pack = load(SHIPPED / "chemistry")
        signed = Signature(
            pack.id, pack.version, pack.hash, "Dr Test", "biologist", datetime(2026, 1, 1, tzinfo=UTC), "journey"
        )
        (self.folder / "signatures.toml").write_text(as_toml(signed), encoding="utf-8")
        self.config.write_text(
            f"""
[site]
id = "{SITE}"
[store]
url = "{self.url or "sqlite:///labmw.db"}"
key_file = "{self.key_file}"
[web]
enabled = false
[[link]]
name = "analyzer"
listen = "127.0.0.1:{self.analyzer_port}"
connections = 64
{link}
[lis]
connect = "127.0.0.1:{self.lis_port}"
retry_base = 0.05
retry_cap = 0.2
ack_timeout = 2.0
[rules]
packs = ["chemistry"]
signatures = "signatures.toml"
[roles.tester]
may = ["technical", "biological", "hold", "reject", "rerun", "comment", "withdraw", "call", "recall", "stop", "resume", "qc", "rules", "accept", "mapping", "quarantine", "deliver", "order", "retention"]
people = ["{getpass.getuser()}", "Dr Alouette", "Dr Bergeronnette", "Dr Test"]
{self.extra}
""",
            encoding="utf-8",
        )
        if self.key_file:
            key_file.write(self.folder / self.key_file, [key_file.fresh("2026-01-01T00:00:00.000000Z")], new=True)
        if not self.url:
            shutil.copy(empty(), self.database)
        self.expect(specimens, loincs)
        return self

    def expect(self, specimens: Iterable[str], loincs: Sequence[str] = (ALT,)) -> None:
        """Preload patients, tubes and orders."""
        rows: list[tuple[str, tuple[str, ...]]] = []
        for specimen in specimens:
            person = "INSERT INTO patient (site, identifier, family, birth, sex) VALUES (?, ?, 'TESTPERSON', '1970-01-01', 'F')"
            tube = "INSERT INTO specimen (site, identifier, kind, patient) VALUES (?, ?, 'SER', ?)"
            rows += [(person, (SITE, f"P-{specimen}")), (tube, (SITE, specimen, f"P-{specimen}"))]
            for loinc in loincs:
                asked = 'INSERT INTO "order" (site, specimen, loinc, placer) VALUES (?, ?, ?, ?)'
                rows.append((asked, (SITE, specimen, loinc, f"O-{specimen}")))
        self.write(rows)

    def write(self, rows: Sequence[tuple[str, tuple[str, ...]]]) -> None:
        """Write into the store with plain SQL, all of it or nothing: the tests' own hands."""
        if self.url:
            write(self.url, [(numbered(sql), values) for sql, values in rows])
            return
        with contextlib.closing(sqlite3.connect(self.database)) as store, store:
            for sql, values in rows:
                store.execute(sql, values)

    def ask(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """Look into the store with plain SQL: the tests' own eyes. Bytes that are encrypted are opened as the store opens them."""
        if self.url:
            rows = say(self.url, numbered(sql), *values)
        else:
            with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as store:
                rows = store.execute(sql, values).fetchall()
        if not self.key_file:
            return rows
        return as_read(self.url or f"sqlite:///{self.database}", str(self.folder / self.key_file), rows)


def numbered(sql: str) -> str:
    """The same statement with PostgreSQL's placeholders."""
    places = itertools.count(1)
    return re.sub(r"\?", lambda _: f"${next(places)}", sql)


def message(
    specimen: str,
    value: str = "22",
    *,
    test: str = "ALTT",
    unit: str = "U/L",
    completed: str = "20261101080000",
    terminated: bool = True,
) -> list[bytes]:
    """The records of one Erba XL result, each with its CR."""
    records = [
        "H|`^&||||||||||P|E 1394-97|20261101080001",
        "P|1|||||||U",
        f"O|1|{specimen}||^^^{test}|||||||||||SERUM",
        f"R|1|^^^{test}|{value}|{unit}|^DEFAULT||N|F||||{completed}",
    ]
    return [record.encode() + b"\r" for record in records + (["L|1|N"] if terminated else [])]


def frames(records: Sequence[bytes], *, size: int = 240) -> list[bytes]:
    """The frames of a session, numbered from 1."""
    texts = [piece for record in records for piece in cut(record, size)]
    return [encode((place + 1) % 8, text, last) for place, (text, last) in enumerate(texts)]


@dataclass(slots=True)
class Analyzer:
    """Sends messages as an analyzer does: stop and wait, six attempts, and everything again that was not acknowledged."""

    port: int
    patience: float = 10.0
    acknowledged: list[str] = field(default_factory=list)
    attempts: int = 0

    async def send(self, name: str, records: Sequence[bytes], *, until: float = 60.0) -> None:
        """Send one message until the host has acknowledged all of it."""
        async with asyncio.timeout(until):
            while not await self.attempt(records):
                await asyncio.sleep(0.05)  # the host is away: a real analyzer waits ten seconds
        self.acknowledged.append(name)

    async def attempt(self, records: Sequence[bytes]) -> bool:
        """Open a connection and try once; False when anything goes wrong."""
        self.attempts += 1
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        try:
            async with asyncio.timeout(self.patience):
                return await session(reader, writer, records)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return False
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def session(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, records: Sequence[bytes], *, within: float | None = None
) -> bool:
    """One session from ENQ to EOT; True when every frame was acknowledged. TimeoutError when an answer takes longer than `within`."""

    async def answer(data: bytes) -> bytes:
        writer.write(data)
        async with asyncio.timeout(within):
            return await reader.readexactly(1)

    if await answer(b"\x05") != b"\x06":
        return False
    for frame in frames(records):
        for _ in range(6):
            if await answer(frame) == b"\x06":
                break
        else:
            writer.write(b"\x04")
            return False
    writer.write(b"\x04")
    await writer.drain()
    return True


@dataclass(slots=True)
class Lis:
    """Acknowledges every message and lists what it got. `answer` may be changed by a test: MSA-1 for a payload, or "" for silence."""

    port: int
    got: list[tuple[str, str]] = field(default_factory=list)  # (MSH-10, message)
    answers: dict[str, str] = field(default_factory=dict)  # by MSH-10; "*" for every other
    server: asyncio.Server | None = None

    async def __aenter__(self) -> Lis:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=64 << 20)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.server is not None
        self.server.close()
        await self.server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                block = await reader.readuntil(b"\x1c\r")
                text = block.strip(b"\x0b\x1c\r").decode()
                control = text.split("\r")[0].split("|")[9]
                self.got.append((control, text))
                code = self.answers.get(control, self.answers.get("*", "AA"))
                if code:
                    writer.write(
                        f"\x0bMSH|^~\\&|LIS||LABMW||20261101||ACK^R01^ACK|A{len(self.got)}|P|2.5.1\rMSA|{code}|{control}\r\x1c\r".encode()
                    )
                    await writer.drain()
        writer.close()

    @property
    def values(self) -> list[tuple[str, str]]:
        """(specimen, value) of every observation received, repeats of the same MSH-10 dropped as a receiver does."""
        found = []
        for text in dict(self.got).values():
            rows = [row.split("|") for row in text.split("\r")]
            specimen = next(row[2].split("&")[0].split("^")[0] for row in rows if row[0] == "SPM")
            found += [(specimen, row[5]) for row in rows if row[0] == "OBX"]
        return found


async def eventually(condition, *, within: float = 60.0) -> None:  # type: ignore[no-untyped-def]
    """Wait until something is true; the test fails when it does not come true."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.02)
