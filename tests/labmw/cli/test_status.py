"""labmw status: a sentence for each thing in trouble, with the daemon up and down, and an exit code for scripts."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.labmw.cli.conftest import House

pytestmark = pytest.mark.xdist_group("daemon")
Daemon = subprocess.Popen[str]


def status(house: House) -> tuple[int, dict[str, Any]]:
    done = house.labmw("status", "--json")
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


def codes(found: dict[str, Any]) -> list[str]:
    return [one["code"] for one in found["findings"]]


def test_a_store_that_is_not_there_is_no_good_news(house: House) -> None:
    done = house.labmw("status")
    assert done.returncode == 2 and "labmw serve" in done.stderr


def test_a_daemon_that_never_ran(house: House) -> None:
    house.prepare()
    code, found = status(house)
    assert code == 1 and not found["running"] and "never-run" in codes(found)


def test_a_running_daemon_and_what_waits_for_a_person(house: House, daemon: Daemon) -> None:
    house.send()
    code, found = status(house)
    assert code == 1 and found["running"]
    (quarantine,) = [one for one in found["findings"] if one["code"] == "quarantine-open"]
    assert quarantine["facts"]["count"] == "2" and "S0001" in quarantine["sentence"]
    assert "ALOUETTE" not in json.dumps(found)
    assert house.labmw("status", "--language", "fr").stdout.count("En quarantaine : 2") == 1


def test_all_is_well_only_when_nothing_needs_anybody(house: House) -> None:
    house.config.write_text(house.config.read_text().replace("[[link]]", '[rules]\npacks = ["haematology"]\n[[link]]'))
    code, found = status_of_signed(house)
    assert code == 0, found
    assert found["errors"] == found["warnings"] == 0


def status_of_signed(house: House) -> tuple[int, dict[str, Any]]:
    """Sign the pack, run the daemon, send a known blood count, and ask."""
    from datetime import UTC, datetime

    from rules.pack import SHIPPED, load_all
    from rules.signature import Signature, as_toml

    (pack,) = load_all([SHIPPED / "haematology"])[0]
    signature = Signature(pack.id, pack.version, pack.hash, "Dr Test", "biologist", datetime.now(UTC), "test")
    (house.folder / "signed.toml").write_text(as_toml(signature))
    house.config.write_text(house.config.read_text().replace("[rules]", '[rules]\nsignatures = "signed.toml"'))
    house.prepare()
    process = house.serve()
    try:
        end = time.monotonic() + 60
        while True:
            try:
                house.send()
                break
            except OSError:
                assert time.monotonic() < end, house.log
                time.sleep(0.05)
        while "line-good" not in codes(status(house)[1]) and "line-waits" not in codes(status(house)[1]):
            assert time.monotonic() < end
            time.sleep(0.2)
        return status(house)
    finally:
        process.terminate()
        process.wait(40)


def test_after_the_daemon_has_stopped_it_says_so_first(house: House, daemon: Daemon) -> None:
    house.send()
    daemon.terminate()
    daemon.wait(40)
    code, found = status(house)
    assert code == 1 and not found["running"] and found["findings"][0]["code"] == "not-running"


def test_a_line_in_trouble_says_what_to_do(house: House) -> None:
    house.config.write_text(house.config.read_text() + '[[link]]\nname = "far"\nconnect = "127.0.0.1:1"\n')
    house.prepare()
    process = house.serve()
    try:
        told: list[str] = []

        def in_trouble() -> list[str]:
            assert process.poll() is None, house.log
            told[:] = [one["sentence"] for one in status(house)[1]["findings"] if one["code"] == "unreachable"]
            return told

        end = time.monotonic() + 60
        while not in_trouble():
            assert time.monotonic() < end, house.log
        (sentence,) = told  # what was seen, not what may be there a moment later
        assert sentence.startswith("far: ") and sentence.count("127.0.0.1:1") >= 1 and sentence.endswith("its port?")
        assert sentence.count("refuses the connection") == 1
    finally:
        process.terminate()
        process.wait(40)


def test_without_a_configuration(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(house), "config", property(lambda self: ""))
    assert house.labmw("status").returncode == 2
