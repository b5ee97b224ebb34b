"""Is a serial port kept from programs that look at no lock, and is a pseudo-terminal left as it was?"""

from __future__ import annotations

import fcntl
import os
import pty
import struct
from pathlib import Path

import pytest
from cable import Cable

from labmw.config import Serial
from labmw.line import held_port
from labmw.line.held_port import hold_alone
from labmw.line.overhearing import SerialEar, Tuning
from labmw.line.transport import open_serial

TIOCGEXCL = 0x80045440  # Linux: whether nobody else may open it


def exclusive(descriptor: int) -> bool:
    answer: bytes = fcntl.ioctl(descriptor, TIOCGEXCL, bytes(4))
    return bool(struct.unpack("i", answer)[0])


def test_the_kernel_is_told_of_a_port_and_not_of_a_pseudo_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = pty.openpty()
    try:
        hold_alone(ends[1])
        assert not exclusive(ends[1])
        monkeypatch.setattr(held_port, "_PSEUDO", range(0))  # as if it were a port of wires
        hold_alone(ends[1])
        assert exclusive(ends[1])
    finally:
        for end in ends:
            os.close(end)


@pytest.mark.parametrize("who", ["service", "listen"])
async def test_every_way_to_open_a_port_holds_it(who: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_port, "_PSEUDO", range(0))
    cable = Cable(tmp_path / "tty")
    cable.plug()
    look = os.open(cable.name, os.O_RDONLY | os.O_NOCTTY)
    try:
        assert not exclusive(look)
        if who == "service":
            await (await open_serial(Serial(device=str(cable.name)))).close()
        else:
            SerialEar(str(cable.name), Tuning()).close()
        assert exclusive(look)
    finally:
        os.close(look)
        cable.pull()


def test_what_is_no_terminal_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(writer)
    hold_alone(reader)
    os.close(reader)
    hold_alone(reader)  # closed already
