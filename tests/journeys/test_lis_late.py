"""The LIS tells something late: what is held is judged again, what has left is listed; and a person's release reaches the LIS."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lisside import ADA, ALT, code, lab, labmw, measured, new, segments, set_up
from stage import Analyzer, Lis, eventually, message

from simulators.ltw import adt

UNKNOWN = replace(ADA, birth="", sex="")


async def test_what_was_held_for_want_of_an_age_leaves_when_the_lis_tells_it(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    async with Lis(stage.lis_port) as receiver, lab(stage, port) as (_, lis):
        await lis.tell(new("M1", "T1", ALT, person=UNKNOWN))
        await Analyzer(stage.analyzer_port).send("T1", message("T1", completed=measured()))
        await eventually(lambda: stage.ask("SELECT state FROM result") == [("held",)])
        assert "T1" in labmw(stage, "result", "list", "--held", code=1)
        assert code(await lis.tell(adt("M2", "A08", ADA))) == "AA"
        await eventually(lambda: stage.ask("SELECT state FROM result") == [("delivered",)])
        assert receiver.values == [("T1", "22")]
    assert stage.ask("SELECT what, who FROM audit WHERE what = 'verified-again'") == [("verified-again", "labmw")]


async def test_a_value_that_a_biologist_releases_reaches_the_lis_under_his_name(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    async with Lis(stage.lis_port) as receiver, lab(stage, port) as (_, lis):
        await lis.tell(new("M1", "T1", ALT))
        await Analyzer(stage.analyzer_port).send("T1", message("T1", "9999", completed=measured()))
        await eventually(lambda: stage.ask("SELECT state FROM result") == [("held",)])
        labmw(stage, "result", "comment", "T1", "ALTT", "--by", "Dr Alouette", "--text", "checked twice")
        labmw(stage, "result", "release", "T1", "ALTT", "--by", "Dr Alouette", "--reason", "known hepatitis")
        await eventually(lambda: stage.ask("SELECT state FROM result") == [("delivered",)])
        shown = labmw(stage, "result", "show", "T1")
        assert "Validated by Dr Alouette." in shown and "Before that: Held for a biologist." in shown
    [(_, text)] = receiver.got
    [obx] = segments(text, "OBX")
    assert obx[11] == "F" and "Alouette" in obx[16]
    assert [note[3] for note in segments(text, "NTE")] == ["checked twice"]
    assert stage.ask("SELECT ward FROM specimen") == [("WARD-7",)]
