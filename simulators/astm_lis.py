"""How does an LIS behave that takes labmw for an instrument? The computer's end of an ASTM line: it takes results, sends orders, answers queries."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from protocols.astm.message import Message
from protocols.astm.record import build
from simulators.host import Host
from simulators.wire import READ_SIZE


def orders(number: str, tube: str, tests: Sequence[str], action: str = "N", *, answer: bool = False) -> list[bytes]:
    """A message that orders these tests on a tube, for one patient."""
    return _sent(
        build("P", {2: "1", 3: number, 6: ["TESTPERSON", "Ada"], 8: "19700101", 9: "F"}),
        build("O", {2: "1", 3: tube, 5: [["", "", "", test] for test in tests], 6: "R", 12: action, 16: "SER"}),
        build("L", {2: "1", 3: "F" if answer else "N"}),
    )


def nothing() -> list[bytes]:
    """The answer to a query about a tube that is not known."""
    return _sent(build("L", {2: "1", 3: "I"}))


def _sent(*records: str) -> list[bytes]:
    head = build("H", {5: "SIL", 10: "LABMW", 12: "P", 13: "LIS02-A2", 14: "20261101080000"})
    return [record.encode("latin-1") + b"\r" for record in (head, *records)]


@dataclass(slots=True)
class AstmLis:
    """Listens on a port. Use it as `async with`. `knows`: patient and tests by tube, for queries; None for silence."""

    port: int
    knows: Mapping[str, tuple[str, Sequence[str]]] | None = None
    silent: bool = False  # it answers nothing at all
    host: Host = field(default_factory=Host)
    asked: list[str] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _writer: asyncio.StreamWriter | None = None
    _seen: int = 0

    async def __aenter__(self) -> AstmLis:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        if self._writer is not None:
            self._writer.close()
        await self._server.wait_closed()

    @property
    def connected(self) -> bool:
        """Whether labmw has dialled."""
        return self._writer is not None

    @property
    def results(self) -> list[Message]:
        """The messages with results."""
        return [one for one in self.host.messages if "R" in one.structure]

    def tell(self, records: Sequence[bytes]) -> None:
        """Send a message as soon as the line allows."""
        assert self._writer is not None
        self.host.link.send(records)
        self._writer.write(self.host.link.data_to_send())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        with contextlib.suppress(OSError):
            while data := await reader.read(READ_SIZE):
                if self.silent:
                    continue
                writer.write(self.host.hear(data))
                self._answer_queries(writer)
        self.host.hang_up()
        writer.close()
        self._writer = None

    def _answer_queries(self, writer: asyncio.StreamWriter) -> None:
        for message in self.host.messages[self._seen :]:
            for record in (one for one in message.records if one.type == "Q"):
                tube = record.component(3, 2)
                self.asked.append(tube)
                if self.knows is not None:
                    number, tests = self.knows.get(tube, ("", ()))
                    self.host.link.send(orders(number, tube, tests, answer=True) if tests else nothing())
        self._seen = len(self.host.messages)
        writer.write(self.host.link.data_to_send())
