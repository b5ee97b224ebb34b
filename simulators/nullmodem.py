"""How are two devices joined by a line that may be bad? The null modem: two streams of bytes, crossed over, with a fault hook per direction."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from simulators.clock import Clock, within
from simulators.errors import WireLost
from simulators.faults import Delivery, Faults, Impairment, impairment
from simulators.wire import Plug, Wire, memory_cable

_LAST_WORDS = 1.0  # real seconds for what is still on its way when a line is closed
TO_LABMW, FROM_LABMW = "to labmw", "from labmw"


class BadLine:
    """A line to labmw with its two directions; it stays as bad as it is from one connection to the next."""

    def __init__(self, seed: int, to_labmw: Faults, from_labmw: Faults) -> None:
        self.to_labmw = impairment(to_labmw, seed, TO_LABMW)
        self.from_labmw = impairment(from_labmw, seed, FROM_LABMW)
        self.to_labmw.opposite, self.from_labmw.opposite = self.from_labmw, self.to_labmw

    def report(self) -> dict[str, Any]:
        """Return how many faults of each kind each direction has met."""
        return {
            direction: {"pieces": one.pieces, "faults": dict(sorted(one.counts.items()))}
            for direction, one in ((TO_LABMW, self.to_labmw), (FROM_LABMW, self.from_labmw))
        }


async def join(device: Wire, labmw: Wire, line: BadLine, clock: Clock) -> None:
    """Carry bytes both ways until one side hangs up or the line does; then hang up on both."""
    ways = [
        asyncio.create_task(_carry(device, labmw, line.to_labmw, clock)),
        asyncio.create_task(_carry(labmw, device, line.from_labmw, clock)),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        try:
            outcome = await asyncio.gather(*ways, return_exceptions=True)
        finally:  # also when we are cancelled while we clear up
            await device.close()
            await labmw.close()
    for one in outcome:
        if isinstance(one, Exception):
            raise one


async def _carry(source: Wire, target: Wire, fault: Impairment, clock: Clock) -> None:
    with contextlib.suppress(WireLost):
        while True:
            if fault.holding:
                piece = await within(clock, fault.faults.merge_seconds, source.read())
            else:
                piece = await source.read()
            if piece is None:
                deliveries = fault.release()
            elif piece:
                deliveries = fault.carry(piece)
            else:
                return
            if await _deliver(deliveries, target, clock):
                return


async def _deliver(deliveries: list[Delivery], target: Wire, clock: Clock) -> bool:
    """Send what comes out; True when the line hangs up."""
    for one in deliveries:
        if one.after:
            await clock.sleep(one.after)
        if one.data:
            await target.write(one.data)
        if one.hang_up:
            return True
    return False


class BadPlug:
    """A plug whose wires run over a bad line; the device that uses it notices nothing but the faults."""

    def __init__(self, plug: Plug, line: BadLine) -> None:
        self.plug, self.line = plug, line
        self.name = plug.name
        self._joined: set[asyncio.Task[None]] = set()

    async def open(self, clock: Clock) -> Wire:
        """Open the plug behind and put the bad line in between."""
        far = await self.plug.open(clock)
        device, near = memory_cable("device", self.name)
        task = asyncio.create_task(join(near, far, self.line, clock))
        self._joined.add(task)
        task.add_done_callback(self._joined.discard)
        return device

    async def close(self) -> None:
        """Let the last bytes through, cut every line and close the plug behind."""
        joined = list(self._joined)
        if joined:
            await asyncio.wait(joined, timeout=_LAST_WORDS)
        for task in joined:
            task.cancel()
        await asyncio.gather(*joined, return_exceptions=True)
        await self.plug.close()


async def bridge(
    device: Plug, labmw: Plug, line: BadLine, clock: Clock, *, told: Callable[[str], None] = lambda _: None
) -> None:
    """Join two plugs again and again: whoever arrives at `device` is connected to `labmw`, over the bad line.

    With a listening plug this is a TCP proxy, with a serial port on either side a converter. Runs until cancelled.
    """
    while True:
        near = await device.open(clock)
        told(f"{near.peer} is there, dialling {labmw.name}")
        far = await labmw.open(clock)
        await join(near, far, line, clock)
        told(f"hung up; faults so far: {line.report()}")
