"""Several analyzers on one port: told apart by their headers, by their addresses, and never taken for one another. Through the real daemon on both stores."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from stage import Stage, eventually, frames, free_port, listens, message

from labmw.app import Laboratory
from labmw.config import load
from labmw.errors import ConfigError
from labmw.line.link import named_at

XN = [b"H|\\^&|||    XN-1000^00-24^11042^^^^AB123456||||||||E1394-97\r", b"P|1\r", b"O|1||^^S3^M|^^^^WBC|||||||N||||||||||||||F\r",
      b"R|1|^^^^WBC^1|6.80|10*3/uL||N||F||||20261101080000\r", b"L|1|N\r"]  # fmt: skip


@contextlib.asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[Laboratory]:
    laboratory = Laboratory(load(stage.config))
    try:
        await laboratory.start()
        yield laboratory
    finally:
        await laboratory.stop()


def send(port: int, records: list[bytes], source: str) -> None:
    with socket.create_connection(("127.0.0.1", port), 10, source_address=(source, 0)) as line:
        for piece in (b"\x05", *frames(records)):
            line.sendall(piece)
            assert line.recv(1) == b"\x06"
        line.sendall(b"\x04")


async def test_by_header_and_by_address(tmp_path: Path, store_url: str) -> None:
    stage = Stage(tmp_path, free_port(), free_port(), url=store_url)
    stage.build(["S1", "S3"], link='senders = { "127.0.0.2" = "erba-xl", "127.0.0.4/30" = "erba-xl" }')
    async with running(stage):
        await eventually(lambda: listens(stage.analyzer_port))
        for records, source in (
            (message("S1"), "127.0.0.2"),
            (message("S1"), "127.0.0.5"),
            (message("S1"), "127.0.0.9"),
            (XN, "127.0.0.2"),
        ):
            await asyncio.to_thread(send, stage.analyzer_port, records, source)
        await eventually(lambda: len(stage.ask("SELECT id FROM message")) == 4)
    found = stage.ask(
        "SELECT m.driver, r.analyzer, r.run FROM message m JOIN result r ON r.message = m.id ORDER BY r.id"
    )
    assert found[:2] == [
        ("erba-xl", "analyzer@127.0.0.2", ""),
        ("erba-xl", "analyzer@127.0.0.5", ""),
    ]  # two analyzers, two results
    assert found[2][0] == "any-astm"
    assert found[3][0] == "erba-xl"  # the address goes before the header: its own code stays unknown
    assert stage.ask("SELECT count(*) FROM repeat") == [(0,)]


@pytest.mark.one_database
def test_the_narrowest_network_names() -> None:
    senders = {"192.0.2.0/24": "a", "192.0.2.7": "b", "2001:db8::/32": "c"}
    assert named_at("192.0.2.7:4000", senders) == "b"
    assert named_at("::ffff:192.0.2.8:4000", senders) == "a"
    assert named_at("2001:db8::1:4000", senders) == "c"
    assert named_at("/dev/ttyS0", senders) == named_at("198.51.100.1:1", senders) == ""


@pytest.mark.one_database
@pytest.mark.parametrize("link", ['driver = "erba-xl"', 'protocol = "law"', ""])
def test_what_cannot_be_is_refused(link: str, tmp_path: Path) -> None:
    file = tmp_path / "labmw.toml"
    way = 'listen = "127.0.0.1:4102"' if link else 'connect = "127.0.0.1:4102"'
    file.write_text(f'[site]\nid = "T"\n[[link]]\nname = "a"\n{way}\nsenders = {{ "192.0.2.1" = "erba-xl" }}\n{link}\n')
    with pytest.raises(ConfigError, match="senders"):
        load(file)
