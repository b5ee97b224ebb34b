"""Do `labmw link listen` and `record` say what comes, keep it, survive a kill, and leave a line in service alone?"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import forked
import pytest
from cable import Cable
from stage import free_port

from labmw.cli.wire_view import ROWS, WIDTH, rows, text
from protocols.astm.frame import encode
from protocols.capture import loads, pieces_to_bytes

if TYPE_CHECKING:
    from tests.labmw.cli.conftest import House

XN = rb"H|\^&|||    XN-1000^00-24^11042^^^^AB123456||||||||E1394-97"
PATIENCE = 60.0  # seconds until a test gives up
SESSION = b"\x05" + encode(1, XN + b"\r", True) + encode(2, b"L|1|N\r", True) + b"\x04"


class Running:
    """A command that runs; what it has said so far can be waited for."""

    def __init__(self, arguments: tuple[str, ...], config: Path | None) -> None:
        self._out, end = os.pipe()
        environment = {**os.environ, "LABMW_CONFIG": str(config) if config else ""}
        with os.fdopen(end, "wb") as file:
            self.process = forked.start(forked.CLI, "link", *arguments, env=environment, stdout=file, stderr=file)
        self._said = bytearray()
        self._ended = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while data := os.read(self._out, 65536):
            with self._news:
                self._said += data
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def says(self, text: str, meanwhile: Callable[[], object] | None = None) -> None:
        """Wait until it has said this; `meanwhile` is done again whenever it has said something, and while it says nothing."""
        ends = time.monotonic() + PATIENCE
        while text.encode() not in self._said and not self._ended and time.monotonic() < ends:
            if meanwhile is not None:
                meanwhile()
            with self._news:
                self._news.wait_for(lambda: text.encode() in self._said or self._ended, 0.05 if meanwhile else PATIENCE)
        assert text.encode() in self._said, f"it does not say {text!r}: {self._said[-2000:].decode()}"

    def interrupt(self) -> tuple[int, str]:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def end(self) -> tuple[int, str]:
        """How it ended, and all that it has said."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code, self._said.decode()

    def close(self) -> None:
        """Nothing is left of it."""
        self.process.kill()
        self._reader.join(PATIENCE)
        os.close(self._out)


@contextmanager
def running(*arguments: str, config: Path | None = None) -> Iterator[Running]:
    one = Running(arguments, config)
    try:
        yield one
    finally:
        one.close()


def dial(command: Running, port: int) -> socket.socket:
    """Connect as soon as it says that it listens."""
    command.says(f"listening on 127.0.0.1:{port}")
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


@pytest.mark.parametrize(
    ("language", "begins", "driver"),
    [
        ("en", "listening on", "the driver sysmex-xn reads it"),
        ("fr", "écoute sur", "le pilote sysmex-xn le lit"),
    ],
)
def test_what_comes_is_shown_and_called_by_its_name(language: str, begins: str, driver: str) -> None:
    port = free_port()
    with running("listen", f"127.0.0.1:{port}", "-l", language) as command:
        command.says(
            f"{begins} 127.0.0.1:{port}"
        )  # said when the port is open, not before: the analyzer may dial at once
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as analyzer:
            analyzer.sendall(SESSION)
            command.says(driver)
            code, shown = command.interrupt()
            with suppress(ConnectionResetError):
                assert analyzer.recv(1) == b"", "something was sent"
    assert code == 0, shown
    assert "<ENQ><STX>1H|\\^&|" in shown
    assert "05 02 31 48 7c 5c 5e 26" in shown
    assert "LIS01-A2" in shown


def test_a_frame_that_comes_in_pieces_is_not_taken_for_a_printer_and_its_codes_name_a_driver() -> None:
    port, frame = (
        free_port(),
        encode(1, b"H|`^&||||||||||P|E 1394-97\rP|1\rO|1|7||^^^GLCC\rR|1|^^^GLCC|474|mg/dl\rL|1|N\r", True),
    )
    with running("listen", f"127.0.0.1:{port}", "-l", "en") as command, dial(command, port) as analyzer:
        for piece in (b"\x05", frame[:20], frame[20:60], frame[60:]):
            analyzer.sendall(piece)
            command.says(f" {piece[-1]:02x} ")
        command.says("right checksum: 1")
        code, shown = command.interrupt()
    assert code == 0, shown
    assert "plain text" not in shown.lower() and "printer" not in shown, shown
    assert "The header names nobody" in shown and "those of erba-xl" in shown, shown


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    one = Cable(tmp_path / "tty-analyzer")
    one.plug()
    yield one
    one.pull()


def test_a_line_that_only_calls_is_recorded_at_the_speed_that_fits(cable: Cable, tmp_path: Path) -> None:
    file = tmp_path / "line.wire"
    with running("record", str(cable.name), str(file), "-l", "en") as command:
        command.says("listening at")
        os.write(cable.end, b"\x05" * 3)
        kept(file, lambda text: "not yet sure: 05" in text)
        code, _ = command.interrupt()
    assert code == 0
    assert set(pieces_to_bytes(loads(file.read_text()))) == {5}
    assert "9600 8N1, which nothing has proven" in file.read_text()


def kept(file: Path, condition: Callable[[str], bool]) -> None:
    """Wait until so much of it is on the disk: the file itself is asked, as after a power cut."""
    end = time.monotonic() + PATIENCE
    while not file.exists() or not condition(file.read_text()):
        assert time.monotonic() < end, "it is not on the disk"
        time.sleep(0.005)


def test_rubbish_is_told_with_what_to_do(cable: Cable) -> None:
    with running("listen", str(cable.name), "-l", "en") as command:
        command.says("listening at 9600 8N1")
        command.says(
            "listening at 19200 8N1", meanwhile=lambda: os.write(cable.end, bytes((0x9C, 0xE1, 0x83, 0xFE)) * 8)
        )
        code, shown = command.interrupt()
    assert code == 1
    assert "at none of the speeds that were tried" in shown or "speed is wrong" in shown, shown
    assert "listening at 19200 8N1" in shown


def test_nothing_came() -> None:
    with running("listen", f"127.0.0.1:{free_port()}", "--seconds", "0.2", "-l", "en") as command:
        code, shown = command.end()
    assert code == 1
    assert "Nothing arrives" in shown


def test_a_flood_is_counted_and_not_shown() -> None:
    port = free_port()
    with running("listen", f"127.0.0.1:{port}", "--most", "2000", "-l", "en") as command:
        with dial(command, port) as analyzer:
            for _ in range(200):
                analyzer.sendall(b"\xfe" * 5000)
        command.says("has gone")  # behind everything that it said
        code, shown = command.interrupt()
    assert code == 1
    assert "1000000 bytes in" in shown
    assert len(shown) < 20_000
    assert "only counted" in shown


def test_a_recording_survives_a_kill_and_is_a_capture(tmp_path: Path) -> None:
    port, file = free_port(), tmp_path / "line.wire"
    with running("record", f"127.0.0.1:{port}", str(file), "-l", "en") as command, dial(command, port) as analyzer:
        for number in range(1, 11):
            analyzer.sendall(SESSION)
            kept(file, lambda text, least=number: len(pieces_to_bytes(loads(text))) >= least * len(SESSION))  # type: ignore[misc]
        analyzer.sendall(SESSION * 10)
        command.process.kill()
        command.end()
    found = pieces_to_bytes(loads(file.read_text()))
    assert (SESSION * 20).startswith(found)
    assert len(found) >= 10 * len(SESSION)
    assert file.stat().st_mode & 0o077 == 0
    with running("record", str(port), str(file), "-l", "fr") as command:
        code, shown = command.end()
    assert code == 2
    assert "une capture n'est jamais écrasée" in shown
    assert pieces_to_bytes(loads(file.read_text())) == found


@pytest.mark.parametrize("name", ["listen", "record"])
def test_a_line_in_service_is_left_alone(
    name: str, house: House, daemon: subprocess.Popen[str], tmp_path: Path
) -> None:
    more = [str(tmp_path / "x.wire")] if name == "record" else []
    for config, expected in (
        (house.config, f"is held by labmw (process {daemon.pid}), line counter"),
        (None, "is held by another program"),
    ):
        with running(name, str(house.line), *more, "-l", "en", config=config) as command:
            code, shown = command.end()
        assert code == 2
        assert expected in shown, shown
        assert "listening on" not in shown
    assert not (tmp_path / "x.wire").exists()


@pytest.mark.parametrize(
    "arguments", [("/dev/no-such",), ("0",), ("99999",), ("4102", "--parity", "even"), ("4102", "--bits", "9")]
)
def test_wrong_usage_is_said(arguments: tuple[str, ...]) -> None:
    with running("listen", *arguments, "--seconds", "0.1", "-l", "en") as command:
        code, shown = command.end()
    assert code == 2, shown


def test_what_cannot_be_opened_is_said_in_french(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place, french in (
        (str(tmp_path / "file"), "n'est pas un port série"),
        ("192.0.2.1:4102", "on ne peut pas écouter"),
    ):
        with running("listen", place, "--seconds", "0.1", "-l", "fr") as command:
            code, shown = command.end()
        assert code == 2
        assert french in shown, shown
        assert "écoute sur" not in shown  # it never did


def test_control_characters_have_names_and_a_piece_has_an_end() -> None:
    assert text(b"\x00\x05\x0b\x1c\x1d\x1e\x7f\xe9A") == "<NUL><ENQ><VT><FS><GS><RS><DEL><E9>A"
    shown = rows("1.0", ">", bytes(5000), "en")
    assert len(shown) == ROWS + 1
    assert f"{5000 - ROWS * WIDTH} more" in shown[-1]
