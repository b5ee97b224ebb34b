"""What was found before: loaded from a file, and fed by the LIS as it releases; and what it holds beside what labmw delivered."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lisside import ADA, ALT, code, lab, labmw, measured, new, set_up
from stage import Analyzer, Lis, Stage, eventually, message

from simulators.ltw import Found, adt, released

ROWS = "patient;loinc;completed;value;unit;method;laboratory\n"


def previous(stage: Stage) -> list[tuple[object, ...]]:
    return stage.ask(
        "SELECT patient, loinc, comparator || number, unit, method, laboratory FROM previous ORDER BY completed_at, id"
    )


def load(stage: Stage, text: str, *, wrong: bool = False) -> str:
    file = stage.folder / "history.csv"
    file.write_text(text, encoding="utf-8")
    return labmw(stage, "lis", "history", "load", str(file), code=1 if wrong else 0)


# Scenario 12.6.
def test_a_file_is_loaded_whole_and_a_second_time_changes_nothing(tmp_path: Path) -> None:
    stage, _ = set_up(tmp_path, lis='[lis.tests]\nALAT = "1742-6"')
    text = (
        ROWS
        + "P1;1742-6;2026-10-01T08:00;31;U/L;ENZ;LABO\nP1;ALAT;20261002080000;<5;UI/L;;\n\nP2;1742-6;2026-10-01 08:00+02:00;31.50;U/L;;\n"
    )
    load(stage, text)
    load(stage, "\ufeff" + text)
    assert previous(stage) == [
        ("P1", "1742-6", "31", "U/L", "ENZ", "LABO"),
        ("P2", "1742-6", "31.50", "U/L", "", ""),
        ("P1", "1742-6", "<5", "[IU]/L", "", ""),
    ]


def test_one_wrong_row_and_nothing_is_loaded(tmp_path: Path) -> None:
    stage, _ = set_up(tmp_path)
    good = "P1;1742-6;2026-10-01T08:00;31;U/L;;\n"
    for bad, column in [
        (";1742-6;2026-10-01T08:00;31;U/L;;\n", "patient"),
        ("P1;1742-5;2026-10-01T08:00;31;U/L;;\n", "loinc"),
        ("P1;1742-6;2026-10-01;31;U/L;;\n", "completed"),
        ("P1;1742-6;2026-10-01T08:00;7,4;U/L;;\n", "value"),
        ("P1;1742-6;2026-10-01T08:00;NaN;U/L;;\n", "value"),
        ("P1;1742-6;2026-10-01T08:00;31;furlong;;\n", "unit"),
    ]:
        said = load(stage, ROWS + good + bad, wrong=True)
        assert f"line 3: {column}:" in said
    assert "cells" in load(stage, ROWS + good + "P1;1742-6\n", wrong=True)
    assert "column" in load(stage, "patient;loinc\nP1;1742-6\n", wrong=True)
    assert "column" in load(stage, "", wrong=True)
    (stage.folder / "history.csv").write_bytes(b"patient;\xff\xfe\n")
    labmw(stage, "lis", "history", "load", str(stage.folder / "history.csv"), code=1)
    labmw(stage, "lis", "history", "load", str(stage.folder / "absent.csv"), code=1)
    assert previous(stage) == []


# Scenario 12.6.
async def test_what_the_lis_releases_is_history_with_method_and_laboratory(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    first = Found("OLD1", ALT, "31")
    async with lab(stage, port) as (_, lis):
        assert code(await lis.tell(released("M1", ADA, [first]))) == "AA"
        await lis.tell(released("M2", ADA, [replace(first, value="33", status="C")]))
        assert previous(stage) == [("P1", "1742-6", "33", "U/L", "Enzymatic", "LABO VOISIN")]
        later = replace(first, at="20261008080000+0200")
        await lis.tell(
            released(
                "M3",
                ADA,
                [
                    replace(later, value="34", status="P"),  # not final
                    replace(later, value="positif", type="ST"),  # no number
                    replace(later, test="XYZ^?^L", value="1"),  # nobody knows which test
                    replace(later, value="5", unit="furlong^furlong^L"),
                    replace(later, value="<^5", type="SN"),
                ],
            )
        )
        assert [row[2] for row in previous(stage)] == ["33", "<5"]
        await lis.tell(released("M4", ADA, [replace(first, value="33", status="X")]))
        assert [row[2] for row in previous(stage)] == ["<5"]
        [(facts,)] = stage.ask("SELECT facts FROM message WHERE control_id = 'M3'")
    told = json.loads(str(facts))
    assert told["history"] == told["not-final"] == told["without-number"] == 1
    assert told["unknown-test"] == told["unknown-unit"] == 1


async def test_history_follows_a_merged_patient(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    load(stage, ROWS + "P1;1742-6;2026-10-01T08:00;31;U/L;;\nP2;1742-6;2026-10-01T08:00;31;U/L;;\n")
    async with lab(stage, port) as (_, lis):
        await lis.tell(adt("M1", "A40", ADA, "P2^^^HOSPITAL^PI"))
        await lis.tell(released("M2", replace(ADA, number="P2"), [Found("OLD1", ALT, "35")]))
    assert {row[0] for row in previous(stage)} == {"P1"}
    assert [row[2] for row in previous(stage)] == ["31", "35"]


def compared(stage: Stage, *, code: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(labmw(stage, "lis", "compare", "--grace", "0", "--json", code=code))
    return found


# Scenario 12.4.
async def test_the_comparison_finds_what_the_lis_lacks_or_holds_otherwise(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    today = datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000")
    async with Lis(stage.lis_port), lab(stage, port) as (_, lis):
        for tube in ("T1", "T2", "T3"):
            await lis.tell(new(f"O-{tube}", tube, ALT))
            await Analyzer(stage.analyzer_port).send(tube, message(tube, completed=measured()))
        await eventually(lambda: stage.ask("SELECT count(*) FROM result WHERE state = 'delivered'") == [(3,)])
        assert compared(stage, code=1)["lis_heard_at"] is None  # it has said nothing: nothing is proven
        assert "nothing is proven" in labmw(stage, "lis", "compare", "--grace", "0", code=1)
        assert json.loads(labmw(stage, "task", "list", "--json"))["tasks"] == []
        holds = [Found("T1", ALT, "22.0", at=today, order="T1-1"), Found("T2", ALT, "23", at=today, order="T2-1")]
        await lis.tell(released("M1", ADA, holds))
        found = compared(stage, code=1)
        assert [(one["what"], one["specimen"]) for one in found["differences"]] == [
            ("lis-holds-another", "T2"),
            ("lis-lacks", "T3"),
        ]
        tasks = json.loads(labmw(stage, "task", "list", "--json"))["tasks"]
        assert [(one["kind"], one["specimen"]) for one in tasks] == [("lis-differs", "T2"), ("lis-differs", "T3")]
        assert "T2" in labmw(stage, "lis", "compare", "--grace", "0", code=1)
        mended = [replace(holds[1], value="22", status="C"), Found("T3", ALT, "22", at=today, order="T3-1")]
        await lis.tell(released("M2", ADA, mended))
        assert compared(stage, code=0)["differences"] == []
        assert json.loads(labmw(stage, "task", "list", "--json"))["tasks"] == []
        [(result,)] = stage.ask("SELECT id FROM result WHERE specimen = 'T1'")
        labmw(stage, "result", "withdraw", str(result), "--why", "wrong tube")
        assert [one["what"] for one in compared(stage, code=1)["differences"]] == ["lis-still-holds"]
    assert previous(stage) == []  # what labmw delivered itself is its own history


def test_nothing_delivered_nothing_to_compare(tmp_path: Path) -> None:
    stage, _ = set_up(tmp_path)
    assert compared(stage, code=0)["compared"] == 0
