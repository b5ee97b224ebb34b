"""Does the null modem join two devices, in memory, over TCP and over a serial port?"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from simulators.clock import Clock, HandClock, WallClock
from simulators.errors import WireLost
from simulators.faults import Faults
from simulators.host import Host
from simulators.nullmodem import FROM_LABMW, TO_LABMW, BadLine, BadPlug, bridge, join
from simulators.wire import MemoryWire, PtyPort, TcpConnect, TcpListen, memory_cable

GOOD = Faults()


async def joined(line: BadLine, clock: Clock) -> tuple[MemoryWire, MemoryWire, asyncio.Task[None]]:
    device, near = memory_cable("device", "modem")
    far, labmw = memory_cable("modem", "labmw")
    return device, labmw, asyncio.create_task(join(near, far, line, clock))


async def test_both_directions_are_carried_and_counted() -> None:
    clock = HandClock()
    line = BadLine(1, GOOD, GOOD)
    device, labmw, task = await joined(line, clock)
    await device.write(b"\x05")
    assert await labmw.read() == b"\x05"
    await labmw.write(b"\x06")
    assert await device.read() == b"\x06"
    await device.close()
    assert await labmw.read() == b""
    await task
    assert line.report() == {TO_LABMW: {"pieces": 1, "faults": {}}, FROM_LABMW: {"pieces": 1, "faults": {}}}
    with pytest.raises(WireLost, match="dial again"):
        await labmw.write(b"x")


async def test_what_is_merged_waits_for_the_next_piece_but_not_for_ever() -> None:
    clock = HandClock()
    device, labmw, task = await joined(BadLine(1, Faults(merge=1.0, at_most=1), GOOD), clock)
    await device.write(b"one ")
    for _ in range(20):
        await asyncio.sleep(0)
    await device.write(b"two")
    assert await labmw.read() == b"one two"
    await device.close()
    await task

    device, labmw, task = await joined(BadLine(1, Faults(merge=1.0, at_most=1, merge_seconds=0.5), GOOD), clock)
    await device.write(b"alone")
    reading = asyncio.create_task(labmw.read())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not reading.done()
    clock.advance(0.5)
    assert await reading == b"alone"
    await device.close()
    await task


async def test_a_delayed_piece_arrives_when_its_time_has_come() -> None:
    clock = HandClock()
    device, labmw, task = await joined(BadLine(3, Faults(delay=1.0, delay_seconds=2.0), GOOD), clock)
    await device.write(b"late")
    reading = asyncio.create_task(labmw.read())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not reading.done()
    clock.advance(2.0)
    assert await reading == b"late"
    await labmw.close()
    await task


async def test_hang_up_ends_the_line_for_both() -> None:
    clock = HandClock()
    device, labmw, task = await joined(BadLine(1, GOOD, Faults(hang_up=1.0)), clock)
    await labmw.write(b"\x06")
    await task
    assert await device.read() == b""
    assert await labmw.read() == b""


async def test_a_tcp_proxy_carries_and_counts() -> None:
    labmw = Host()
    async with labmw.listening() as port:
        device = TcpListen("127.0.0.1", 0)
        host, proxy = await device.start()
        line = BadLine(1, Faults(split=1.0, delay_seconds=0.0), GOOD)
        task = asyncio.create_task(bridge(device, TcpConnect("127.0.0.1", port), line, WallClock()))
        for _ in range(2):  # and once more after a hang-up
            reader, writer = await asyncio.open_connection(host, proxy)
            writer.write(b"\x05")
            assert await reader.read(1) == b"\x06"
            writer.write(b"\x021H|\\^&\r\x03E5\r\n\x04")
            assert await reader.read(1) == b"\x06"
            writer.close()
            await writer.wait_closed()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await device.close()
    assert len(labmw.messages) == 2
    assert line.to_labmw.counts["split"] >= 2


async def test_a_serial_port_is_a_device_that_can_be_opened(tmp_path: Path) -> None:
    labmw = Host()
    port = PtyPort(tmp_path / "tty-test")
    plug = BadPlug(port, BadLine(1, GOOD, GOOD))
    assert (tmp_path / "tty-test").resolve() == Path(port.device)
    async with labmw.on_serial(str(tmp_path / "tty-test")):
        wire = await plug.open(WallClock())
        everything = bytes(range(256)).replace(b"\x05", b"")
        await wire.write(everything + b"\x05")  # no byte is translated, echoed or taken for a signal
        assert await wire.read() == b"\x06"
        assert bytes(labmw.raw) == everything + b"\x05"
    await plug.close()
    assert not (tmp_path / "tty-test").exists()


async def test_a_closed_serial_port_reads_as_hung_up_and_can_be_opened_again(tmp_path: Path) -> None:
    port = PtyPort()
    for _ in range(2):
        labmw = Host()
        async with labmw.on_serial(port.device):
            wire = await port.open(WallClock())
            await wire.write(b"\x05")
            assert await wire.read() == b"\x06"
        assert await wire.read() == b""
    await port.close()
