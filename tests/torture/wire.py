"""A network that fails: it cuts connections in the middle of whatever they carry, or swallows what comes back."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class BadNetwork:
    """Stands between a dialling side and a port. `cuts`: the share of pieces in the middle of which it is cut; `deaf`: of answers that are lost."""

    port: int
    target: int
    chance: random.Random
    cuts: float = 0.0
    deaf: float = 0.0
    dead: bool = False  # nothing comes through at all: connections are taken, and whatever they carry goes nowhere
    cut: int = 0
    lost: int = 0
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        mine = asyncio.current_task()
        assert mine is not None
        self._open.add(mine)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self._carry(reader, writer)
        writer.close()
        self._open.discard(mine)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.dead:
            while await reader.read(65536):
                self.lost += 1
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        pumps = [asyncio.create_task(self._there(reader, back)), asyncio.create_task(self._back(there, writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            back.close()

    async def _there(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Copy until the end; now and then only a part of a piece, and then no more."""
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self.chance.random() < self.cuts:
                    writer.write(data[: self.chance.randrange(len(data))])
                    await writer.drain()
                    self.cut += 1
                    return
                writer.write(data)
                await writer.drain()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The same with what comes back; now and then it does not: it was taken over there, and nobody here will know."""
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self.chance.random() < self.deaf:
                    self.lost += 1
                    return
                writer.write(data)
                await writer.drain()

    async def heal(self) -> None:
        """From now on it works; what was open is closed."""
        self.cuts = self.deaf = 0.0
        self.dead = False
        for task in list(self._open):
            task.cancel()


@contextlib.asynccontextmanager
async def bad_network(port: int, target: int, seed: int, **how: float) -> AsyncIterator[BadNetwork]:
    """A network between `port` and `target` until the end."""
    one = BadNetwork(port, target, random.Random(seed), **how)  # type: ignore[arg-type]
    server = await asyncio.start_server(one.serve, "127.0.0.1", port)
    try:
        yield one
    finally:
        server.close()
        await one.heal()
        await server.wait_closed()
