"""labmw order: what was ordered of which analyzer, shown whether or not labmw runs; taken back and asked for again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from lawside import CREA, PATIENT, analyzer, long_ago, observed, of, order, running, seen, set_up, states
from stage import ALT, Stage, eventually
from typer.testing import CliRunner

from labmw.cli.order import app
from simulators.law import Manners


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """One tube of which one test is done, one refused, one waits; and a tube that nobody could say anything of."""
    stage = set_up(tmp_path_factory.mktemp("orders"))
    order(stage, "S1", (ALT, CREA), at=long_ago())

    async def morning() -> None:
        manners = Manners(refuses=frozenset({CREA}), patience=PATIENT.patience)
        async with running(stage), analyzer(stage, manners=manners) as sim:
            await sim.ask(named="S7")
            offer = await sim.ask(named="S1")
            await eventually(lambda: sorted(states(stage).values()) == ["accepted", "refused"])
            await sim.report(seen("S1", of(offer.work, ALT), observed()))
            await eventually(
                lambda: f"{ALT}@analyzer" in states(stage) and states(stage)[f"{ALT}@analyzer"] == "resulted"
            )
            await eventually(lambda: stage.ask("SELECT DISTINCT state FROM result") == [("released",)])  # and judged

    asyncio.run(morning())
    return stage


def labmw(stage: Stage, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*words, "--config", str(stage.config)])
    assert done.exit_code == code, done.output
    return done.output


def shown(stage: Stage, what: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(labmw(stage, "show", what, "--json"))
    return found


def test_every_ordered_test_is_shown_with_its_awos_and_what_it_has_brought(stage: Stage) -> None:
    found = shown(stage, "S1")
    tests = {one["order"]["loinc"]: one for one in found["tests"]}
    assert [tests[ALT]["order"]["state"], tests[CREA]["order"]["state"]] == ["done", "open"]
    (alt,), (crea,) = tests[ALT]["awos"], tests[CREA]["awos"]
    assert (alt["state"], crea["state"], alt["analyzer"]) == ("resulted", "refused", "analyzer")
    assert [(one["value"], one["status"]) for one in alt["results"]] == [("22", "F")]
    times = alt["times"]
    assert times["created"] <= times["broadcast"] <= times["answered"] <= times["resulted"] <= times["closed"]
    assert shown(stage, alt["awos"]) == found  # by the AWOS too


@pytest.mark.parametrize(
    ("language", "shown_", "listed_"),
    [
        ("en", ("resulted", "refused", "open"), ("released", "queried", "refused")),
        ("fr", ("résultat reçu", "refusé", "ouverte"), ("rendue", "interrogée", "refusé")),
    ],
)
def test_it_is_drawn_in_both_languages(
    stage: Stage, language: str, shown_: tuple[str, ...], listed_: tuple[str, ...]
) -> None:
    for command, words in ((("show", "S1"), shown_), (("list", "--state", "all"), listed_)):
        text = labmw(stage, *command, "--language", language)
        assert all(word in text for word in words), text


def test_a_tube_to_be_presented_again_is_known(stage: Stage) -> None:
    assert [one["reason"] for one in shown(stage, "S7")["present_again"]] == ["order-feed-stale"]
    assert "Present the tube again" in labmw(stage, "show", "S7", "--language", "en")


def test_what_nobody_knows_ends_with_1(stage: Stage) -> None:
    for command in ("show", "cancel", "again"):
        assert "NOPE" in labmw(stage, command, "NOPE", code=1)


def test_the_list_holds_one_line_per_order_with_its_awos(stage: Stage) -> None:
    rows = json.loads(labmw(stage, "list", "--json"))["orders"]
    assert [(one["loinc"], one["awos_state"]) for one in rows if one["specimen"] == "S1"] == [(CREA, "refused")]


def test_what_is_late_is_listed_alone(stage: Stage) -> None:
    """The orders of S1 are two days old."""
    for minutes, expected in (("60", {"S1"}), ("10000", set())):
        rows = json.loads(labmw(stage, "list", "--json", "--late", "--minutes", minutes))["orders"]
        assert {one["specimen"] for one in rows} == expected


def test_asked_again_it_is_a_new_awos_and_taken_back_it_is_cancelled(tmp_path: Path) -> None:
    stage = set_up(tmp_path)
    order(stage, "S1")

    async def measure(name: str) -> None:
        async with running(stage), analyzer(stage, name=name) as sim:
            awos = of((await sim.ask(named="S1")).work, ALT)
            await eventually(lambda: (awos, "accepted") in stage.ask("SELECT awos, state FROM awos"))
            await sim.report(seen("S1", awos, observed()))

    asyncio.run(measure("first"))
    ((first,),) = stage.ask("SELECT awos FROM awos")
    assert "is resulted" in labmw(stage, "cancel", str(first), "--language", "en", code=1)
    assert str(first) in labmw(stage, "again", str(first))
    assert stage.ask("SELECT state FROM awos ORDER BY id") == [("resulted",), ("planned",)]
    second = str(stage.ask("SELECT awos FROM awos ORDER BY id DESC")[0][0])
    labmw(stage, "cancel", second)
    assert stage.ask("SELECT state, reason FROM awos WHERE awos = ?", second) == [("cancelled", "asked")]
    assert stage.ask("SELECT what FROM audit WHERE what LIKE 'order%' ORDER BY id") == [
        ("order-again",),
        ("order-cancelled",),
    ]
    labmw(stage, "again", str(first))
    asyncio.run(measure("second"))
    # A run of another AWOS is another result, even with equal value and time.
    assert len(stage.ask("SELECT id FROM result")) == 2


async def test_taken_back_beside_the_daemon_the_analyzer_is_asked_within_a_second(tmp_path: Path) -> None:
    stage = set_up(tmp_path)
    order(stage, "S1")
    async with running(stage), analyzer(stage) as sim:
        awos = of((await sim.ask(named="S1")).work, ALT)
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "accepted"})
        await asyncio.to_thread(labmw, stage, "cancel", awos)
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "cancelled"})
        assert sim.held[awos].state == "CA"
    (only,) = shown(stage, "S1")["tests"][0]["awos"]
    assert (only["state"], only["reason"]) == ("cancelled", "asked")
