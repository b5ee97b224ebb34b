"""Device servers: RFC 2217 sets the serial side from here, a cut network is found and mended, and what was stale when it came back is nothing."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from lineside import lineside
from portserver import PortServer
from stage import eventually, frames, free_port, message

from labmw.clock import SYSTEM
from labmw.config import Link, Serial, load
from labmw.errors import ConfigError, LinkError
from labmw.line import link as link_module
from labmw.line.health import LinkHealth
from labmw.line.link import Doorkeeper, LinkRunner
from labmw.line.transport import Wire, open_serial
from labmw.watch.line_trial import speak


async def test_the_serial_side_gets_the_settings_and_every_byte_crosses_both_ways() -> None:
    server = PortServer()
    port = await server.start()
    every = bytes(range(256))
    wire = await open_serial(Serial(device=f"rfc2217://127.0.0.1:{port}", baud=19200, bits=7, parity="even", stop=2))
    assert {name: values[-1] for name, values in server.settings.items() if name != "control"} == {
        "baud": 19200,
        "bits": 7,
        "parity": 3,
        "stop": 2,
    }
    server.say(every)
    found = b""
    while len(found) < len(every):
        found += await asyncio.wait_for(wire.read(), 60)
    assert found == every
    wire.write(every)
    await wire.drain()
    await eventually(lambda: bytes(server.heard) == every)
    raw = wire.writer.transport._tcp_transport.get_extra_info("socket")  # type: ignore[attr-defined]
    assert raw.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    await wire.close()
    await server.stop()


async def test_a_cut_network_is_a_hang_up_and_the_line_comes_back_without_a_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_module, "RECONNECT", (0.02,))
    server = PortServer()
    port = await server.start()

    async def echo(wire: Wire) -> str:
        while data := await wire.read():
            wire.write(data)
            await wire.drain()
        return "hang-up"

    health = LinkHealth("T", "one", SYSTEM)
    link = Link(name="one", serial=Serial(device=f"rfc2217://127.0.0.1:{port}"))
    task = asyncio.create_task(LinkRunner(link, echo, health, Doorkeeper(9)).run())
    for round_ in range(1, 4):
        await eventually(lambda: health.connected == 1)
        server.say(b"\x05")
        await eventually(lambda n=round_: bytes(server.heard) == b"\x05" * n)
        await server.stop()
        await eventually(lambda: "unreachable" in health.troubles)
        await server.start(port)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await server.stop()


async def test_nobody_there_is_named_with_a_remedy() -> None:
    with pytest.raises(LinkError, match=r"refuses the connection .*: nothing listens"):
        await open_serial(Serial(device=f"rfc2217://127.0.0.1:{free_port()}"))


async def test_link_test_calls_through_it() -> None:
    server = PortServer()
    port = await server.start()

    async def answer() -> None:
        await eventually(lambda: b"\x05" in server.heard)
        server.say(b"\x06")

    answering = asyncio.create_task(answer())
    link = Link(name="one", serial=Serial(device=f"rfc2217://127.0.0.1:{port}"))
    assert [one.code async for one in speak(link, listen=0.05, call=True, answer=60.0)] == ["wire-answers"]
    await answering
    await eventually(lambda: bytes(server.heard) == b"\x05\x04")
    await server.stop()


@pytest.mark.parametrize("device", ["rfc2217://nowhere", "socket://127.0.0.1:1", "rfc2217://h:x"])
def test_other_addresses_are_no_serial_port(device: str, tmp_path: Path) -> None:
    file = tmp_path / "labmw.toml"
    file.write_text(f'[site]\nid = "T"\n[[link]]\nname = "a"\nserial = {{ device = "{device}" }}\n')
    with pytest.raises(ConfigError, match=r"serial\.device"):
        load(file)


# --- raw TCP: what was on its way when the connection broke ---------------------------------------------------------------------


STALE = frames(message("S9", "99"))


@pytest.mark.parametrize(
    "stale", [b"", STALE[2][7:], b"".join(STALE), b"".join(STALE)[9:] + b"\x04", b"\x06\x15\x04"],
    ids=["nothing", "half", "whole", "tail", "answers"],
)  # fmt: skip
async def test_after_a_reconnection_everything_up_to_enq_is_nothing(stale: bytes, tmp_path: Path) -> None:
    async with lineside(tmp_path, ["S1", "S9"]) as line:
        first = line.converse()
        assert await first.ask(b"\x05") == b"\x06"
        assert await first.ask(frames(message("S1"))[0]) == b"\x06"  # cut in the middle of a session
        first.hang_up(lost=True)
        again = line.converse()
        again.say(stale)
        assert await again.ask(b"\x05") == b"\x06"  # the stale bytes got no answer at all
        for frame in frames(message("S1")):
            assert await again.ask(frame) == b"\x06"
        again.say(b"\x04")
        again.hang_up()
        await line.ended()
        assert line.ask("SELECT specimen, value, state FROM result") == [("S1", "22", "verify")]
