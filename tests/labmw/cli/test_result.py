"""labmw result show: the whole story, from the bytes to the verdict, with names only when asked for."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.labmw.cli.conftest import House

pytestmark = pytest.mark.xdist_group("daemon")
Daemon = subprocess.Popen[str]


def story(house: House, specimen: str = "S0001", *options: str) -> dict[str, Any]:
    done = house.labmw("result", "show", specimen, "--json", *options)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_whole_story(house: House, daemon: Daemon) -> None:
    house.send()
    (message,) = story(house)["messages"]
    assert message["disposition"] == "accepted" and message["terminated"] and message["driver"].startswith("sysmex-xn")
    assert [piece["bytes"] for piece in message["wire"]][:2] == ["<ENQ>", "<ACK>"]
    leucocytes, haemoglobin = message["results"]
    assert (leucocytes["value"], leucocytes["read_as"]["number"], leucocytes["read_as"]["ucum"]) == (
        "6.80",
        "6.80",
        "10*3/uL",
    )
    assert leucocytes["read_as"]["loinc"] == "6690-2"
    assert leucocytes["record"]["bytes"].startswith("R|1|^^^^WBC^1|6.80")
    assert leucocytes["record"]["frames"] == [5]
    frame = message["frames"][4]
    assert frame["answer"] == "<ACK>" and frame["came_at"] <= frame["stored_at"] <= frame["answered_at"]
    assert [entry["reason"] for entry in haemoglobin["quarantine"]] == ["no-order"]


def test_known_results_have_a_verdict_in_words(house: House) -> None:
    house.prepare()
    process = house.serve()
    try:
        _send(house)
        end_state = _until_judged(house)
    finally:
        process.terminate()
        process.wait(40)
    assert end_state == 2
    (message,) = story(house)["messages"]  # and with the daemon down
    verdict = message["results"][0]["verdict"]
    assert verdict["level"] == "hold" and verdict["reasons"][0]["code"] == "no-rule"
    assert verdict["trace"] and all(line["sentence"] for line in verdict["trace"])
    french = house.labmw("result", "show", "S0001", "--language", "fr").stdout
    assert "Retenu pour un biologiste" in french and "Aucun jeu de règles actif" in french


def _send(house: House) -> None:
    import time

    for _ in range(400):
        try:
            house.send()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(house.log)


def _until_judged(house: House) -> int:
    import time

    for _ in range(400):
        if (held := house.count("SELECT count(*) FROM result WHERE state = 'held'")) == 2:
            return held
        time.sleep(0.05)
    raise AssertionError(house.log)


def test_names_are_shown_only_when_asked_for(house: House, daemon: Daemon) -> None:
    house.send()
    for options in (("--bytes",), ("--json",), ()):
        shown = house.labmw("result", "show", "S0001", *options).stdout
        assert "ALOUETTE" not in shown and "19800101" not in shown, options
    assert "ALOUETTE" in house.labmw("result", "show", "S0001", "--bytes", "--identity").stdout


def test_a_retransmission_is_told(house: House, daemon: Daemon) -> None:
    house.send()
    house.send()
    first, second = story(house)["messages"]
    assert [len(result["repeats"]) for result in first["results"]] == [1, 1]
    assert second["results"] == [] and len(second["repeats"]) == 2


def test_it_fits_on_100_columns_and_has_no_colours_when_piped(house: House, daemon: Daemon) -> None:
    house.send()
    shown = house.labmw("result", "show", "S0001").stdout
    assert "\x1b" not in shown and max(map(len, shown.splitlines())) <= 100


def test_an_unknown_specimen_ends_with_1_and_a_hint(house: House, daemon: Daemon) -> None:
    house.send()
    done = house.labmw("result", "show", "0001")
    assert done.returncode == 1 and "S0001" in done.stderr


def test_a_specimen_that_was_only_ordered_is_known(house: House) -> None:
    house.prepare()
    shown = house.labmw("result", "show", "S0001")
    assert shown.returncode == 0 and "Nothing has come" in shown.stdout


def test_hostile_bytes_do_not_reach_the_terminal(house: House, daemon: Daemon) -> None:
    house.send((b"14.0", b"\x1b[2J[red]14.0"))
    shown = house.labmw("result", "show", "S0001", "--bytes")
    assert shown.returncode == 0
    assert "\x1b" not in shown.stdout and "<0x1B>" in shown.stdout and "[red]" in shown.stdout


def test_without_a_store(house: House) -> None:
    assert house.labmw("result", "show", "S0001").returncode == 2
