"""A device server that speaks RFC 2217 (Telnet com port control), as a Moxa or a ser2net does: its serial side is the test."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

from ports import free_port

IAC, DONT, DO, WONT, WILL, SB, SE, COM_PORT = 255, 254, 253, 252, 251, 250, 240, 44
NAMES = {1: "baud", 2: "bits", 3: "parity", 4: "stop", 5: "control"}


@dataclass
class PortServer:
    """One serial port behind a network."""

    settings: dict[str, list[int]] = field(default_factory=dict)
    heard: bytearray = field(default_factory=bytearray)  # what came out of the serial side
    connections: int = 0
    _writer: asyncio.StreamWriter | None = None
    _server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port or free_port())
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.drop()
        await asyncio.sleep(0.01)

    def drop(self) -> None:
        """The network cable is pulled."""
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None

    def say(self, data: bytes) -> None:
        """The analyzer speaks."""
        assert self._writer is not None
        self._writer.write(data.replace(b"\xff", b"\xff\xff"))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writer = writer
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                (byte,) = await reader.readexactly(1)
                if byte != IAC:
                    self.heard.append(byte)
                    continue
                (command,) = await reader.readexactly(1)
                if command == IAC:
                    self.heard.append(IAC)
                elif command in (DO, WILL, DONT, WONT):
                    (option,) = await reader.readexactly(1)
                    if command == WILL:
                        writer.write(bytes((IAC, DO, option)))
                    elif command == DO:
                        writer.write(bytes((IAC, WILL, option)))
                elif command == SB:
                    await self._subnegotiate(reader, writer)
        writer.close()

    async def _subnegotiate(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = bytearray()
        while True:
            (byte,) = await reader.readexactly(1)
            if byte == IAC:
                (byte,) = await reader.readexactly(1)
                if byte == SE:
                    break
            said.append(byte)
        if said[0] != COM_PORT:
            return
        code, value = said[1], bytes(said[2:])
        if code in NAMES:
            self.settings.setdefault(NAMES[code], []).append(int.from_bytes(value, "big"))
        answer = value.replace(b"\xff", b"\xff\xff")
        writer.write(bytes((IAC, SB, COM_PORT, code + 100)) + answer + bytes((IAC, SE)))
