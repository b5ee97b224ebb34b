"""labmw serve, really started: it opens its lines, stores before it answers, survives the death of a part, and stops in order."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.labmw.cli.conftest import House

pytestmark = pytest.mark.xdist_group("daemon")
Daemon = subprocess.Popen[str]


def until(condition, seconds: float = 60.0) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def pid_of(log: str, part: str) -> int:
    return int(re.findall(rf"process started +part={part} pid=(\d+)", log)[-1])


def test_a_message_is_stored_when_it_is_acknowledged_and_shows_in_the_metrics(house: House, daemon: Daemon) -> None:
    assert house.send() == [b"\x06"] * 8
    assert house.count("SELECT count(*) FROM result") == 2
    until(lambda: house.page("/healthz")[0] == 200)
    assert json.loads(house.page("/healthz")[1]) == {"status": "ok"}
    status, text = house.page("/metrics")
    assert status == 200
    assert 'labmw_frames_total{link="counter"} 7.0' in text
    assert 'labmw_results_stored{state="quarantined"} 2.0' in text
    assert 'labmw_quarantine_open{reason="no-order"} 2.0' in text
    assert "labmw_store_readable 1.0" in text
    for secret in ("S0001", "P000001", "ALOUETTE", "6.80"):
        assert secret not in text


def test_it_stops_in_order(house: House, daemon: Daemon) -> None:
    house.send()
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(40) == 0
    assert "closed" in house.log and "killed" not in house.log
    assert house.page("/healthz")[0] == 0


def test_a_part_that_is_killed_is_started_again_and_nothing_acknowledged_is_gone(house: House, daemon: Daemon) -> None:
    house.send()
    lines = pid_of(house.log, "lines")
    os.kill(lines, signal.SIGKILL)
    until(lambda: pid_of(house.log, "lines") != lines)
    until(lambda: _sends(house))
    assert house.count("SELECT count(*) FROM result") == 2  # the second is recognised as the same
    assert house.page("/metrics")[0] == 200  # the web side has not noticed


def _sends(house: House) -> bool:
    try:
        return house.send() == [b"\x06"] * 8
    except OSError:
        return False


def test_a_second_one_on_the_same_store_is_refused(house: House, daemon: Daemon) -> None:
    second = house.labmw("serve")
    assert second.returncode == 74
    assert "already serves the store" in second.stderr
    assert house.send()[-1] == b"\x06"


def test_a_broken_configuration_names_file_and_key(house: House) -> None:
    house.config.write_text(house.config.read_text() + "baut = 9600\n")
    refused = house.labmw("serve")
    assert refused.returncode == 78
    assert str(house.config) in refused.stderr and "baut" in refused.stderr
    assert not (house.folder / "labmw.db").exists()


def test_without_a_configuration_it_says_how_to_give_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(house), "config", property(lambda self: ""))
    refused = house.labmw("serve")
    assert refused.returncode == 78 and "LABMW_CONFIG" in refused.stderr


def test_a_foreign_file_is_not_taken_for_a_store(house: House) -> None:
    (house.folder / "labmw.db").write_bytes(b"something else entirely" * 100)
    refused = house.labmw("serve")
    assert refused.returncode == 74
    assert "labmw.db" in refused.stderr


def test_the_web_side_can_be_switched_off(house: House) -> None:
    house.config.write_text(house.config.read_text().replace("[web]", "[web]\nenabled = false"))
    process = house.serve()
    try:
        until(lambda: "part=lines" in house.log)
        until(lambda: _sends(house))
        assert house.page("/metrics")[0] == 0
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(40) == 0


def test_a_taken_web_port_does_not_disturb_the_lines(house: House) -> None:
    import socket

    with socket.create_server(("127.0.0.1", house.web)):
        process = house.serve()
        try:
            until(lambda: _sends(house))
            until(lambda: "the web side cannot listen" in house.log)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(40) == 0


def test_a_killed_supervisor_takes_its_processes_with_it_and_the_next_start_finds_everything(
    house: House, daemon: Daemon
) -> None:
    house.send()
    left = [pid_of(house.log, part) for part in ("lines", "web")]
    daemon.kill()
    daemon.wait()
    until(lambda: not any(_lives(process) for process in left))
    again = house.serve()
    try:
        until(lambda: _sends(house))
        assert house.count("SELECT count(*) FROM result") == 2
    finally:
        again.send_signal(signal.SIGTERM)
        assert again.wait(40) == 0


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return not _zombie(process)


def _zombie(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
