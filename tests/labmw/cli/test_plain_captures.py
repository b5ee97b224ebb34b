"""Do `labmw decode` and `labmw link replay` show what the captures of plain links say, and refuse what is damaged?"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from labmw.cli.decoder import Decoder
from labmw.cli.driver import app
from labmw.cli.render import to_json
from labmw.cli.replaying import Replay
from labmw.cli.unplain import link_of
from labmw.cli.worklist_file import read_worklist
from labmw.clock import SYSTEM
from labmw.line.registry import Registry
from protocols.plain import beckman
from simulators.plain_texts import FAMILIES

PARIS = ZoneInfo("Europe/Paris")
REGISTRY = Registry.find()
WORKLIST = Path(__file__).parents[2] / "data/worklist.toml"
UNVERIFIED = "has not been verified against a manual or a capture"
NAMED = {
    "mini-vidas": "biomerieux-vidas",
    "vidas": "",
    "vitek2": "",
    "spotchem-el": "arkray-spotchem-el",
    "beckman-au": "beckman-au",
}


def written(family: str) -> tuple[bytes, list[tuple[str, str, str]]]:
    """Two tubes of a family, and what they say."""
    told = [
        FAMILIES[family](f"26112580{number}", number, datetime(2026, 11, 20, 9, 30, tzinfo=PARIS)) for number in (1, 2)
    ]
    results = [(one.specimen, one.code, one.value) for each in told for one in each.results]
    return b"".join(step.data for each in told for step in each.steps), results


def read(data: bytes, driver: str = "") -> dict[str, Any]:
    return to_json(Decoder(REGISTRY, REGISTRY.named(driver) if driver else None, PARIS).read("x", data))


@pytest.mark.parametrize("family", sorted(NAMED))
def test_a_capture_says_what_was_sent(family: str) -> None:
    data, results = written(family)
    found = read(data, NAMED[family])
    shown = [one for message in found["messages"] for one in message["results"]]
    assert [(one["specimen"], one["code"], one["value"]) for one in shown] == results
    assert all(UNVERIFIED in str(one) for one in shown)


@pytest.mark.parametrize("family", ["spotchem-el", "beckman-au", "beckman-pk"])
def test_a_text_without_a_name_needs_its_driver(family: str) -> None:
    found = read(written(family)[0])
    assert found["messages"]
    assert all(message["driver"] == "any-plain" and not message["results"] for message in found["messages"])


@pytest.mark.parametrize("family", ["vidas", "beckman-au"])
def test_a_damaged_block_is_shown_and_marked(family: str) -> None:
    data, results = written(family)
    at = data.index(b"26112580")
    found = read(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], NAMED[family])
    assert [message["reason"] for message in found["messages"]].count("damaged") == 1
    assert found["frames"]["refused"] == 1
    whole = [one for message in found["messages"] if message["reason"] != "damaged" for one in message["results"]]
    shown = {(one["specimen"], one["code"], one["value"]) for one in whole}
    assert shown < set(results)


def test_the_name_of_a_driver_says_what_the_link_is() -> None:
    assert link_of(b"", "stx") == "stx"
    assert link_of(written("beckman-pk")[0], "") == "pk"
    assert link_of(written("beckman-pk")[0], "astm") is None
    assert link_of(b"H|\\^&\r", "") is None


def test_replay_shows_each_line_and_what_became_of_it() -> None:
    data, results = written("mini-vidas")
    decoder = Decoder(REGISTRY, REGISTRY.named("biomerieux-vidas"), PARIS)
    found = str(Replay(PARIS, SYSTEM.now()).of(decoder.read("x", data)))
    for specimen, code, value in results:
        assert specimen in found
        assert code in found
        assert value.partition(" ")[0] in found
    assert "replay-result-quarantined" in found


def test_a_question_is_shown_and_is_not_answered() -> None:
    data = beckman.write(b"RB01") + beckman.write(b"R 0100010001      2611258001") + beckman.write(b"RE01")
    found = Replay(PARIS, SYSTEM.now(), read_worklist(WORKLIST)).of(
        Decoder(REGISTRY, REGISTRY.named("beckman-au"), PARIS).read("x", data)
    )
    assert "replay-plain-question" in str(found)


@pytest.mark.parametrize("family", ["vidas", "spotchem-el", "beckman-pk"])
def test_a_first_driver_cannot_be_made_of_it_and_that_is_said(family: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(written(family)[0])
    done = CliRunner().invoke(app, ["new", str(tmp_path / "x"), "--out", str(tmp_path / "x.py"), "-l", "en"])
    assert done.exit_code == 1
    assert "neither ASTM nor HL7" in done.output
    assert not (tmp_path / "x.py").exists()
