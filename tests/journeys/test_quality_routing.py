"""A control that fails takes its analyzer out for that test by itself, and one that passes lets it back: through the daemon, on the wire."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from askside import CREA, analyzer, order, running, set_up, states
from stage import ALT, SITE, Stage, eventually, free_port
from typer.testing import CliRunner

from labmw.app import Laboratory
from labmw.cli.order import app
from labmw.clock import SYSTEM, stamp
from labmw.lab import controlling
from labmw.lab.controlling import Plan, Target
from labmw.lab.deciding import Decision
from simulators.asking import AskingAnalyzer
from simulators.wire import TcpConnect

ROUTE = '[[route]]\ntests = ["1742-6"]\nlinks = ["analyzer", "second"]\n%s\n'
COMPARED = 'comparable = { document = "CR-2026-03", by = "Dr Test" }'


def two(folder: Path, route: str, work: str, dialect: str = "") -> tuple[Stage, TcpConnect]:
    port = free_port()
    second = f'[[link]]\nname = "second"\nlisten = "127.0.0.1:{port}"\ndriver = "chem-x1"\nwork = "{work}"\n'
    link = f'driver = "chem-x1"\nwork = "{work}"'
    return set_up(folder, link=link, extra=second + route, dialect=dialect), TcpConnect("127.0.0.1", port)


def decision() -> Decision:
    return Decision(SITE, stamp(SYSTEM.now()), "A. Biologist", "because")


async def register(laboratory: Laboratory) -> None:
    """One level of ALT: C1, mean 100, SD 4."""
    store = laboratory.store
    await store.run(controlling.add_material(decision(), "C1", "Multi", "1"))
    await store.run(controlling.add_lot(decision(), "C1", "L1", "", None))
    target = Target("", "", ALT, "C1", "L1", "parallel run", "U/L", Decimal(100), Decimal(4))
    await store.run(controlling.set_target(decision(), target))


async def control(stage: Stage, sim: AskingAnalyzer, link: str, value: str, state: str) -> None:
    """The analyzer measures its control, and it is judged."""
    at = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
    sent = ["P|1", "O|1|C1||^^^ALT|R||||||Q", f"R|1|^^^ALT|{value}|U/L||N||F||||{at}", "L|1|N"]
    judged = [row[0] for row in stage.ask("SELECT count(*) FROM qc_point")]
    assert await sim.send([sim.form.head, *sent])
    await eventually(lambda: [row[0] for row in stage.ask("SELECT count(*) FROM qc_point")] != judged)
    assert stage.ask("SELECT state FROM qc_state WHERE link = ?", link) == [(state,)]


def labmw(stage: Stage, *words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--config", str(stage.config)])
    assert done.exit_code == 0, done.output
    return done.output


def reasons(stage: Stage) -> dict[str, str]:
    rows = stage.ask("SELECT link, specimen, reason FROM re_present WHERE closed_at IS NULL")
    return {f"{tube}@{link}": str(reason) for link, tube, reason in rows}


async def test_pushed_orders_move_to_the_other_analyzer_and_come_back_when_a_control_passes(tmp_path: Path) -> None:
    stage, second_plug = two(tmp_path, ROUTE % COMPARED, "push")
    order(stage, "S1")
    async with running(stage) as laboratory, analyzer(stage) as first, analyzer(stage, plug=second_plug) as second:
        await register(laboratory)
        await control(stage, second, "second", "101", "in-control")
        await control(stage, first, "analyzer", "101", "in-control")
        await eventually(lambda: states(stage) == {"ALT@analyzer": "accepted"})
        await control(stage, first, "analyzer", "120", "out")
        await eventually(lambda: states(stage) == {"ALT@analyzer": "cancelled", "ALT@second": "accepted"})
        assert (first.held, second.held) == ({"S1": []}, {"S1": ["ALT"]})
        order(stage, "S2")  # what is ordered meanwhile goes there at once
        await eventually(lambda: second.held.get("S2") == ["ALT"])
        assert "S2" not in first.held
        for language, words in (
            ("en", {"quality", "control", "failed", "(level", "1,", "1-3s,"}),
            ("fr", {"contrôle", "qualité", "échoué", "(niveau", "1,", "1-3s,"}),
        ):
            for command in (("show", "S1"), ("list", "--pending")):
                told = labmw(stage, *command, "--language", language)
                assert words <= set(told.split()), told
        (shown,) = json.loads(labmw(stage, "show", "S2", "--json"))["tests"]
        assert [(one["link"], one["level"], one["rule"]) for one in shown["quality"]] == [("analyzer", "1", "1-3s")]
        await control(stage, first, "analyzer", "100", "in-control")
        order(stage, "S3")
        await eventually(lambda: first.held.get("S3") == ["ALT"])  # it is back; what the other has stays there
        assert (first.held["S1"], "S3" in second.held) == ([], False)
        assert "quality" not in labmw(stage, "list", "--pending", "--language", "en")


@pytest.mark.parametrize("route", [ROUTE % "", ROUTE % COMPARED])
async def test_without_a_comparison_or_when_both_are_out_an_order_waits_and_goes_out_by_itself_later(
    tmp_path: Path, route: str
) -> None:
    stage, second_plug = two(tmp_path, route, "push")
    async with running(stage) as laboratory, analyzer(stage) as first, analyzer(stage, plug=second_plug) as second:
        await register(laboratory)
        await control(
            stage,
            second,
            "second",
            "130" if route != ROUTE % "" else "101",
            "out" if route != ROUTE % "" else "in-control",
        )
        await control(stage, first, "analyzer", "120", "out")
        order(stage, "S1", (ALT, CREA))
        await eventually(lambda: first.held.get("S1") == ["CREA"])  # only the test whose control failed stays
        assert "S1" not in second.held or second.held["S1"] == ["CREA"]
        assert not any(name.startswith("ALT@") for name in states(stage))
        await control(stage, first, "analyzer", "99", "in-control")
        await eventually(lambda: first.held["S1"] == ["CREA", "ALT"])


async def test_a_tube_is_not_given_the_test_where_its_control_failed_and_is_listed_until_it_may_come(
    tmp_path: Path,
) -> None:
    stage, second_plug = two(tmp_path, ROUTE % "", "asked")
    order(stage, "S1", (ALT, CREA))
    async with running(stage) as laboratory, analyzer(stage) as first, analyzer(stage, plug=second_plug) as second:
        await register(laboratory)
        await control(stage, first, "analyzer", "120", "out")
        assert await first.ask("S1") is not None
        assert first.held == {"S1": ["CREA"]}
        assert reasons(stage) == {"S1@analyzer": "tube-qc-out"}
        assert await second.ask("S1") is not None  # pinned: nobody stands in
        assert second.held.get("S1", ["CREA"]) == ["CREA"]
        assert "present the tube again" in " ".join(labmw(stage, "show", "S1", "--language", "en").split())
        await control(stage, first, "analyzer", "100", "in-control")
        await eventually(lambda: reasons(stage) == {"S1@analyzer": "tube-qc-back"})
        assert await first.ask("S1") is not None
        assert sorted(set(first.held["S1"])) == ["ALT", "CREA"]
        assert reasons(stage) == {}


async def test_the_other_analyzer_is_named_when_it_stands_in_and_its_own_plan_allows_it(tmp_path: Path) -> None:
    stage, second_plug = two(tmp_path, ROUTE % COMPARED, "asked")
    order(stage, "S1")
    order(stage, "S2")
    async with running(stage) as laboratory, analyzer(stage) as first, analyzer(stage, plug=second_plug) as second:
        await register(laboratory)
        plan = Plan("", "", ALT, "start", max_age=timedelta(hours=8))
        await laboratory.store.run(controlling.set_plan(decision(), plan))
        await control(stage, first, "analyzer", "120", "out")
        assert await first.ask("S1") is not None
        assert reasons(stage) == {"S1@analyzer": "tube-qc-out"}  # the other has had no control: its plan asks for one
        await control(stage, second, "second", "100", "in-control")
        assert await first.ask("S2") is not None
        assert reasons(stage)["S2@second"] == "tube-qc-elsewhere"
        assert await second.ask("S2") is not None
        assert (first.held, second.held) == ({}, {"S2": ["ALT"]})
        assert "S2@second" not in reasons(stage)
        await second.ask("S1")  # the tube was listed on the first analyzer; it is done here now
        assert second.held["S1"] == ["ALT"]
        assert reasons(stage) == {}


async def test_a_derogation_by_two_persons_leaves_the_analyzer_in(tmp_path: Path) -> None:
    stage, _ = two(tmp_path, "", "asked")
    order(stage, "S1")
    async with running(stage) as laboratory, analyzer(stage) as first:
        await register(laboratory)
        await control(stage, first, "analyzer", "120", "out")
        until = SYSTEM.now() + timedelta(hours=2)
        number = await laboratory.store.run(controlling.ask_derogation(decision(), "analyzer", "", ALT, until))
        assert await first.ask("S1") is not None and first.held == {}  # one person's wish lets nothing go
        await laboratory.store.run(controlling.approve_derogation(replace(decision(), by="B. Biologist"), number))
        assert await first.ask("S1") is not None and first.held == {"S1": ["ALT"]}


async def test_an_analyzer_that_cannot_be_told_to_forget_keeps_its_order_and_says_so(tmp_path: Path) -> None:
    stage, second_plug = two(tmp_path, ROUTE % "", "push", dialect='cancel=""')
    order(stage, "S1")
    async with running(stage) as laboratory, analyzer(stage) as first, analyzer(stage, plug=second_plug):
        await register(laboratory)
        await control(stage, first, "analyzer", "100", "in-control")
        await eventually(lambda: states(stage) == {"ALT@analyzer": "accepted"})
        await control(stage, first, "analyzer", "120", "out")
        await eventually(lambda: states(stage) == {"ALT@analyzer": "unable"})
        assert first.held == {"S1": ["ALT"]}
    async with running(stage), analyzer(stage) as first:  # another process knows it too
        await control(stage, first, "analyzer", "100", "in-control")
        await eventually(lambda: states(stage) == {"ALT@analyzer": "accepted"})
