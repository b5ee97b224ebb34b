"""labmw qc: what a person sets is kept with author and reason, what is wrong is refused in both languages, and charts say what was measured."""

from __future__ import annotations

import asyncio
import json
import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import controlled as setting
import forked
import pytest
from controlled import Controlled, controlled
from stage import ALT

from labmw.cli.qc_chart import Mark, chart
from labmw.lab import controlling

pytestmark = pytest.mark.xdist_group("daemon")


class Desk:
    """A person at a keyboard, with the configuration of a laboratory whose daemon does not run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def qc(self, *arguments: str, code: int = 0, language: str = "en") -> str:
        spoken = ["-l", language] if language else []
        done = forked.run(
            "qc", *arguments, *spoken, env={**os.environ, "LABMW_CONFIG": str(self.folder / "labmw.toml")}
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def found(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.qc(*arguments, "--json", code=code))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Nothing is set yet."""

    async def build() -> None:
        async with controlled(tmp_path):
            pass

    asyncio.run(build())
    return Desk(tmp_path)


@pytest.fixture
def month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A month of controls, two a day: quiet, then a shift from which level 1 goes out."""

    async def fill(lab: Controlled) -> None:
        lab.at[0] = setting.START
        await lab.prepare("1", "2")
        await lab.plan(hours=26)
        draw = random.Random(1)
        for _ in range(58):
            await lab.control("1", f"{draw.gauss(100, 2):.1f}")
            await lab.control("2", f"{draw.gauss(200, 2):.1f}")
            lab.later(hours=12)
        await lab.do(controlling.exclude(lab.decision("T. Technician"), 5))
        await lab.control("1", "113")

    async def build() -> None:
        async with controlled(tmp_path) as lab:
            await fill(lab)

    monkeypatch.setattr(setting, "START", datetime.now(UTC) - timedelta(days=29))
    asyncio.run(build())
    return Desk(tmp_path)


def test_from_a_material_to_a_target_each_step_says_the_next(desk: Desk) -> None:
    assert "qc lot add" in desk.qc(
        "material", "add", "C1", "--name", "Multi", "--level", "1", "--why", "new", "--by", "Dr Alouette"
    )
    assert "qc target set" in desk.qc("lot", "add", "C1", "L77", "--until", "2031-01-31", "--why", "new")
    desk.qc(
        "target",
        "set",
        "analyzer",
        ALT,
        "C1",
        "L77",
        "--mean",
        "100,5",
        "--sd",
        "4.25",
        "--unit",
        "UI/L",
        "--source",
        "parallel",
        "--why",
        "new",
    )
    [target] = desk.found("target", "list")
    assert (target["mean"], target["sd"], target["unit"], target["set_by"] != "") == ("100.5", "4.25", "[IU]/L", True)
    assert "L77" in desk.qc("material", "list")
    assert "L77" in desk.qc("target", "list", language="fr")
    assert "1" in desk.qc("lot", "close", "C1", "L77", "--why", "expired")
    assert desk.found("target", "list") == []


CHANGES = [
    ("material", "add", "C9"), ("material", "close", "C1"), ("lot", "add", "C1", "L9"), ("lot", "close", "C1", "L1"),
    ("target", "set", "analyzer", ALT, "C1", "L1", "--mean", "1", "--sd", "1", "--unit", "U/L", "--source", "x"),
    ("plan", "analyzer", ALT), ("restart", "analyzer", ALT), ("exclude", "1"), ("derogation", "approve", "1"), ("derogation", "end", "1"),
    ("derogation", "ask", "analyzer", ALT, "--until", "2030-01-01"), ("calibration", "done", "analyzer", ALT), ("calibration", "withdraw", "1"),
    ("reagent", "load", "analyzer", ALT, "L1"), ("reagent", "unload", "1"), ("reagent", "accept", "analyzer", ALT, "L1"),
    ("reagent", "refuse", "analyzer", ALT, "L1"), ("average", "stop", "analyzer", ALT), ("average", "clear", "analyzer", ALT),
]  # fmt: skip


@pytest.mark.parametrize("arguments", CHANGES, ids=" ".join)
def test_nobody_without_a_role_changes_anything(desk: Desk, arguments: tuple[str, ...]) -> None:
    with (desk.folder / "labmw.toml").open("a", encoding="utf-8") as file:
        file.write('[roles.night]\nmay = ["stop"]\npeople = ["T. Pinson"]\n')
    told = desk.qc(*arguments, "--why", "x", "--by", "A passer-by", code=1, language="fr")
    assert "A passer-by" in told and "régler le contrôle de qualité" in told
    if arguments[:2] in {("reagent", "refuse"), ("derogation", "end")}:  # what only tightens, whoever may stop may do
        assert "régler" not in desk.qc(*arguments, "--why", "x", "--by", "T. Pinson", code=int(arguments[1] == "end"))
    else:
        desk.qc(*arguments, "--why", "x", "--by", "T. Pinson", code=1)


def test_the_second_person_must_be_one_who_may(desk: Desk) -> None:
    desk.qc("plan", "analyzer", ALT, "--gate", "bracket", "--why", "x")
    looser = ("plan", "analyzer", ALT, "--gate", "start", "--why", "x", "--by", "Dr Alouette", "--second")
    assert "A passer-by" in desk.qc(*looser, "A passer-by", code=1)
    desk.qc(*looser, "Dr Bergeronnette")


def test_a_french_sheet_is_read_whole_or_not_at_all(desk: Desk) -> None:
    desk.qc("material", "add", "C1", "--why", "new")
    desk.qc("lot", "add", "C1", "L1", "--why", "new")
    sheet = desk.folder / "cibles.csv"
    head = "analyzer;module;test;material;lot;unit;mean;sd;source\n"
    sheet.write_bytes((head + f"*;;{ALT};C1;L1;U/L;100,5;4,2;série parallèle\n").encode("cp1252"))
    assert "1" in desk.qc("target", "import", str(sheet), "--why", "new lot", language="fr")
    assert desk.found("target", "list")[0]["source"] == "série parallèle"
    for line, told in [
        ("*;;1742-7;C1;L1;U/L;1,5;4,2;x\n", "line 3, test"),
        (f"*;;{ALT};C1;L1;G L;1,5;4,2;x\n", "line 3, unit"),
        (f"*;;{ALT};C1;L1;U/L;1,5;0;x\n", "line 3, sd"),
        (f"*;;{ALT};C1;L1;U/L;;0;x\n", "line 3, mean"),
        (f"*;;{ALT};C1;L1;U/L;100,5;4,2;x\n", "sets the target of line 2 again"),
        (f"*;;{ALT};C9;L9;U/L;100,5;4,2;x\n", "Lot L9 of C9 is not in use"),
    ]:
        sheet.write_bytes((head + f"*;;{ALT};C1;L1;U/L;99,5;4,2;x\n" + line).encode("cp1252"))
        assert told in desk.qc("target", "import", str(sheet), "--why", "x", code=1)
        assert desk.found("target", "list")[0]["mean"] == "100.5", "nothing of a sheet with a mistake"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["material", "add", "C1", "--why", " "], 2, "--why"),
        (["lot", "add", "C9", "L1", "--why", "x"], 1, "C9"),
        (["lot", "add", "C9", "L1", "--until", "31/01/2027", "--why", "x"], 2, "31/01/2027"),
        (["target", "set", "a", ALT, "C1", "L1", "--mean", "1,234", "--sd", "1", "--unit", "U/L", "--source", "x", "--why", "x"], 2, "1,234"),
        (["target", "set", "a", ALT, "C1", "L1", "--mean", "1", "--sd", "-1", "--unit", "U/L", "--source", "x", "--why", "x"], 2, "-1"),
        (["target", "set", "a", ALT, "C1", "L1", "--mean", "nan", "--sd", "1", "--unit", "U/L", "--source", "x", "--why", "x"], 2, "nan"),
        (["target", "set", "a", ALT, "C1", "L1", "--mean", "1", "--sd", "1", "--unit", "G L", "--source", "x", "--why", "x"], 2, "G L"),
        (["target", "set", "a", ALT, "C1", "L1", "--source", "x", "--why", "x"], 2, "--expect"),
        (["plan", "a", ALT, "--gate", "never", "--why", "x"], 2, "bracket"),
        (["plan", "a", ALT, "--rules", "1-3s,9-9s", "--why", "x"], 2, "9-9s"),
        (["plan", "a", ALT, "--max-age", "soon", "--why", "x"], 2, "soon"),
        (["plan", "a", ALT, "--allowed", "12", "--why", "x"], 2, "--allowed-source"),
        (["exclude", "99", "--why", "x"], 1, "99"),
        (["derogation", "ask", "*", "*", "--until", "2020-01-01", "--why", "x"], 1, "31"),
        (["derogation", "approve", "7", "--why", "x"], 1, "7"),
        (["average", "set", "*", ALT, "--algorithm", "mean", "--quiet", "9:1", "--truncate", "1:9", "--unit", "U/L", "--why", "x"], 2, "9:1"),
        (["average", "set", "*", ALT, "--algorithm", "magic", "--quiet", "1:9", "--truncate", "1:9", "--unit", "U/L", "--why", "x"], 2, "magic"),
        (["average", "clear", "*", ALT, "--why", "x"], 1, ALT),
        (["show", "nowhere", ALT], 1, "nowhere"),
        (["sigma", "nowhere", ALT, "--allowed", "10"], 1, "20"),
        (["target", "propose", "nowhere", ALT, "C1", "L1"], 1, "L1"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_both_languages(desk: Desk, arguments: list[str], code: int, told: str) -> None:
    english, french = (desk.qc(*arguments, code=code, language=language) for language in ("en", "fr"))
    assert told in english
    assert told in french
    assert english != french


def test_status_says_what_is_out_and_ends_with_1(month: Desk) -> None:
    assert "OUT" in month.qc("status", code=1)
    assert "HORS LIMITES" in month.qc("status", code=1, language="fr")
    levels = {row["level"]: row["state"] for row in month.found("status", code=1)["levels"]}
    assert levels == {"1": "out", "2": "in-control"}


def test_the_chart_has_a_mark_for_every_point(month: Desk) -> None:
    told = month.qc("show", "analyzer", ALT)
    assert "112  +3 SD" in told
    assert told.count("✕") == 2, "the point, and the legend"
    assert "technical error, says T. Technician" in told
    assert "moy." in month.qc("show", "analyzer", ALT, language="fr")
    found = month.found("show", "analyzer", ALT)
    assert len(found["points"]) == 117
    assert {one["rule"] for one in found["points"][-1]["broken"]} >= {"1-2s", "1-3s"}


def test_sigma_by_level(month: Desk) -> None:
    rows = month.found("sigma", "analyzer", ALT, "--allowed", "12", "--bias", "0")
    assert {row["level"] for row in rows} == {"1", "2"}
    one = next(row for row in rows if row["level"] == "1")
    assert one["points"] == 57, "neither the technical error nor what was out"
    assert one["sigma"] == pytest.approx(12 / one["cv"])
    assert "N2 R1" in month.qc("sigma", "analyzer", ALT, "--allowed", "20")
    assert "qc plan" in month.qc("sigma", "analyzer", ALT, code=1)


def test_a_new_lot_gets_its_own_mean_and_the_old_spread(tmp_path: Path) -> None:
    async def build() -> None:
        async with controlled(tmp_path) as lab:
            await lab.prepare("1")
            draw = random.Random(2)
            for _ in range(30):
                await lab.control("1", f"{draw.gauss(100, 3):.2f}")
                lab.later(hours=12)
            await lab.do(controlling.add_material(lab.decision(), "N1", "Multi", "1"))
            await lab.do(controlling.add_lot(lab.decision(), "N1", "L2", "", None))
            for _ in range(20):
                lab.line.ask("SELECT 1")
                await lab._bring("N1", f"{draw.gauss(120, 3):.2f}", None, control=True)
                await lab.settle()
                lab.later(hours=12)

    asyncio.run(build())
    desk = Desk(tmp_path)
    found = desk.found("target", "propose", "analyzer", ALT, "N1", "L2")
    assert found["points"] == 20
    assert found["target"]["sd"] == pytest.approx(found["target"]["mean"] * found["cv"] / 100)
    assert "labmw qc target set analyzer" in desk.qc("target", "propose", "analyzer", ALT, "N1", "L2", language="fr")


def test_a_chart_holds_what_is_far_away_and_what_is_many() -> None:
    far = chart([Mark("2026-01-01", 9.0, "out"), Mark("2026-01-01", -9.0, "out")], None, None, "mean")
    assert "↑" in far[0]
    assert "↓" in far[16]
    many = chart([Mark("2026-01-01", 0.0, "in-control")] * 500, None, None, "mean")
    assert max(map(len, many)) < 100
