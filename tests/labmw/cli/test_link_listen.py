"""Do `labmw link listen` and `record` say what comes, keep it, survive a kill, and leave a line in service alone?"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cable import Cable
from stage import free_port

from labmw.cli.wire_view import ROWS, WIDTH, rows, text
from protocols.astm.frame import encode
from protocols.capture import loads, pieces_to_bytes

if TYPE_CHECKING:
    from tests.labmw.cli.conftest import House

XN = rb"H|\^&|||    XN-1000^00-24^11042^^^^AB123456||||||||E1394-97"
SESSION = b"\x05" + encode(1, XN + b"\r", True) + encode(2, b"L|1|N\r", True) + b"\x04"


@contextmanager
def running(*arguments: str, config: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "LABMW_CONFIG": str(config) if config else ""}
    command = [sys.executable, "-c", "from labmw.cli import main; main()", "link", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def dial(port: int) -> socket.socket:
    end = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 5)
        except OSError:
            assert time.monotonic() < end, "nobody listens"
            time.sleep(0.02)


def unread(port: int) -> bool:
    """Whether bytes sent to a port still wait in the kernel for whoever listens there, or on their way to it."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends = {row[4] for row in rows if f":{port:04X}" in (row[1][8:], row[2][8:])}
    return any(end != "00000000:00000000" for end in ends)


@pytest.mark.parametrize(
    ("language", "driver"), [("en", "the driver sysmex-xn reads it"), ("fr", "le pilote sysmex-xn le lit")]
)
def test_what_comes_is_shown_and_called_by_its_name(language: str, driver: str) -> None:
    port = free_port()
    with running("listen", f"127.0.0.1:{port}", "-l", language) as process:
        with dial(port) as analyzer:
            analyzer.sendall(SESSION)
            analyzer.settimeout(0.5)
            with pytest.raises(TimeoutError):
                analyzer.recv(1)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=20)
    assert process.returncode == 0, shown
    assert "<ENQ><STX>1H|\\^&|" in shown
    assert "05 02 31 48 7c 5c 5e 26" in shown
    assert driver in shown
    assert "LIS01-A2" in shown


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    one = Cable(tmp_path / "tty-analyzer")
    one.plug()
    yield one
    one.pull()


def test_a_line_that_only_calls_is_recorded_at_the_speed_that_fits(cable: Cable, tmp_path: Path) -> None:
    file = tmp_path / "line.wire"
    with running("record", str(cable.name), str(file), "-l", "en") as process:
        end = time.monotonic() + 20
        while not file.exists() or "not yet sure: 05" not in file.read_text():
            assert time.monotonic() < end, "it is not on the disk"
            os.write(cable.end, b"\x05")
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 0
    assert set(pieces_to_bytes(loads(file.read_text()))) == {5}
    assert "9600 8N1, which nothing has proven" in file.read_text()


def test_rubbish_is_told_with_what_to_do(cable: Cable) -> None:
    with running("listen", str(cable.name), "-l", "en") as process:
        assert process.stdout is not None
        started = process.stdout.readline()
        for _ in range(60):
            os.write(cable.end, bytes((0x9C, 0xE1, 0x83, 0xFE)) * 8)
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
        shown = started + rest
    assert process.returncode == 1
    assert "at none of the speeds that were tried" in shown or "speed is wrong" in shown, shown
    assert "listening at 19200 8N1" in shown


def test_nothing_came() -> None:
    with running("listen", f"127.0.0.1:{free_port()}", "--seconds", "0.2", "-l", "en") as process:
        shown, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "Nothing arrives" in shown


def test_a_flood_is_counted_and_not_shown() -> None:
    port = free_port()
    with running("listen", str(port), "--most", "2000", "-l", "en") as process:
        with dial(port) as analyzer:
            for _ in range(200):
                analyzer.sendall(b"\xfe" * 5000)
            end = time.monotonic() + 60
            while unread(port):
                assert time.monotonic() < end, "it does not read"
                time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "1000000 bytes in" in shown
    assert len(shown) < 20_000
    assert "only counted" in shown


def test_a_recording_survives_a_kill_and_is_a_capture(tmp_path: Path) -> None:
    port, file = free_port(), tmp_path / "line.wire"
    with running("record", f"127.0.0.1:{port}", str(file)) as process, dial(port) as analyzer:
        for _ in range(20):
            analyzer.sendall(SESSION)
            time.sleep(0.005)
        end = time.monotonic() + 20
        while not file.exists() or len(pieces_to_bytes(loads(file.read_text()))) < 10 * len(SESSION):
            assert time.monotonic() < end, "it is not on the disk"
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    kept = pieces_to_bytes(loads(file.read_text()))
    assert (SESSION * 20).startswith(kept)
    assert len(kept) >= 10 * len(SESSION)
    assert file.stat().st_mode & 0o077 == 0
    with running("record", str(port), str(file), "-l", "en") as process:
        shown, _ = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "never overwritten" in shown
    assert pieces_to_bytes(loads(file.read_text())) == kept


@pytest.mark.parametrize("command", ["listen", "record"])
def test_a_line_in_service_is_left_alone(
    command: str, house: House, daemon: subprocess.Popen[str], tmp_path: Path
) -> None:
    more = [str(tmp_path / "x.wire")] if command == "record" else []
    for config, expected in (
        (house.config, f"is held by labmw (process {daemon.pid}), line counter"),
        (None, "another program"),
    ):
        with running(command, str(house.line), *more, "-l", "en", config=config) as process:
            shown, _ = process.communicate(timeout=20)
        assert process.returncode == 2
        assert expected in shown or (config and "is held by labmw" in shown), shown
    assert not (tmp_path / "x.wire").exists()


@pytest.mark.parametrize(
    "arguments", [("/dev/no-such",), ("0",), ("99999",), ("4102", "--parity", "even"), ("4102", "--bits", "9")]
)
def test_wrong_usage_is_said(arguments: tuple[str, ...]) -> None:
    with running("listen", *arguments, "--seconds", "0.1", "-l", "en") as process:
        shown, _ = process.communicate(timeout=20)
    assert process.returncode == 2, shown


def test_control_characters_have_names_and_a_piece_has_an_end() -> None:
    assert text(b"\x00\x05\x0b\x1c\x1d\x1e\x7f\xe9A") == "<NUL><ENQ><VT><FS><GS><RS><DEL><E9>A"
    shown = rows("1.0", ">", bytes(5000), "en")
    assert len(shown) == ROWS + 1
    assert f"{5000 - ROWS * WIDTH} more" in shown[-1]
