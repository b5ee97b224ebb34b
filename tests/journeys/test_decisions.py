"""From the analyzer to the LIS through people's hands, on both databases: stop, hold, validate twice, call, go on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lisside import labmw
from stage import ALT, Analyzer, Lis, Stage, eventually, free_port, message

from labmw.app import Laboratory
from labmw.config import load


@pytest.mark.parametrize("store_url", ["sqlite", "postgresql"], indirect=True)
async def test_people_decide_beside_the_running_daemon(store_url: str, tmp_path: Path) -> None:
    stage = Stage(tmp_path, free_port(), free_port(), url=store_url).build(["T1", "T2", "T3"])
    laboratory = Laboratory(load(stage.config))
    async with Lis(stage.lis_port) as lis:
        try:
            await laboratory.start()
            by = ("--by", "Dr Alouette", "--reason")
            labmw(stage, "rules", "stop", "--analyte", ALT, *by, "wrong calibrator")
            await Analyzer(stage.analyzer_port).send("T1", message("T1"))
            await eventually(lambda: stage.ask("SELECT state FROM result WHERE main = 1") == [("held",)])
            labmw(stage, "rules", "resume", "--analyte", ALT, *by, "calibrated")
            labmw(stage, "rules", "resume", "--analyte", ALT, *by, "calibrated", code=1)  # not the same person
            labmw(stage, "rules", "resume", "--analyte", ALT, "--by", "Dr Bergeronnette", "--reason", "seen")
            await eventually(lambda: lis.values == [("T1", "22")])  # and what was held is judged again

            await Analyzer(stage.analyzer_port).send("T2", message("T2", "9999"))
            await eventually(
                lambda: stage.ask("SELECT state FROM result WHERE specimen = 'T2' AND main = 1") == [("held",)]
            )
            waiting = json.loads(labmw(stage, "result", "list", "--json", code=1))
            assert [one["specimen"] for one in waiting["results"]] == ["T2"]
            labmw(stage, "result", "release", "T2", "ALTT", "--technical", *by, "controls in order")
            labmw(stage, "result", "release", "T2", "ALTT", *by, "known hepatitis")
            await eventually(lambda: lis.values == [("T1", "22"), ("T2", "9999")])

            await Analyzer(stage.analyzer_port).send("T3", message("T3", "8888"))
            await eventually(
                lambda: stage.ask("SELECT state FROM result WHERE specimen = 'T3' AND main = 1") == [("held",)]
            )
            labmw(stage, "result", "reject", "T3", *by, "haemolysed")
            await eventually(lambda: len(lis.values) == 3)
            assert lis.values[-1] == ("T3", "")  # the test cannot be obtained, and no value of it leaves
        finally:
            await laboratory.stop()
    assert stage.ask("SELECT state FROM result WHERE main = 1 ORDER BY id") == [
        ("delivered",), ("delivered",), ("rejected",)
    ]  # fmt: skip
