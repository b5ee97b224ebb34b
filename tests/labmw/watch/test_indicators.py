"""What a watched pack says is kept and never acted on; the store can be replayed; indicators count what they say they count."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import forked
import pytest
from controlled import START, Controlled, chemistry, controlled
from stage import SITE

from labmw.clock import stamp
from labmw.config import load as load_config
from labmw.lab import shadowing
from labmw.lab.shadowing import Shadow
from labmw.model import Case, VerdictLevel
from labmw.watch.indicators import indicators, watched
from labmw.watch.inspection import shadows_of
from labmw.watch.past import table
from rules.pack import SHIPPED, Packs
from rules.replay.judge import judge as replayed
from rules.replay.judge import prepare

TUBES = [f"S{number}" for number in range(1, 9)]


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Controlled]:
    async with controlled(tmp_path, *TUBES) as one:
        yield one


def looser(packs: Packs) -> Packs:
    """The same packs without any rule that keeps a limit: what is outside is let go."""
    [pack] = packs.active
    rules = tuple(replace(rule, verdict=VerdictLevel.COMMENT) for rule in pack.rules)
    plans = {
        loinc: replace(
            plan,
            steps=tuple(
                replace(step, rule=next(rule for rule in rules if rule.id == step.rule.id)) for step in plan.steps
            ),
        )
        for loinc, plan in packs.plans.items()
    }
    return replace(packs, plans=plans)


def watching(lab: Controlled) -> None:
    packs = chemistry()
    shadow = Shadow("chemistry@next", packs.active[0].loincs, looser(packs))
    lab.verification.shadows = lambda: (shadow,)


async def test_a_watched_pack_is_kept_beside_and_changes_nothing(lab: Controlled) -> None:
    watching(lab)
    assert await lab.patient("2200") == "held"
    assert await lab.patient("22", specimen="S2") == "released"
    [told] = await lab.line.store.view(watched(SITE))
    assert (told.results, told.held, told.would_hold) == (2, 1, 0)
    assert [row.specimen for row in told.flips_released] == ["S1"]
    assert told.flips_held == ()
    assert lab.line.ask("SELECT count(*) FROM outbox_result") == [(1,)]
    assert await lab.line.store.view(watched(SITE, "other")) == ()


async def test_a_watched_pack_that_fails_holds_nothing(lab: Controlled, monkeypatch: pytest.MonkeyPatch) -> None:
    watching(lab)

    def failing(case: Case, packs: Packs) -> None:
        raise ZeroDivisionError("a fault in a watched pack")

    monkeypatch.setattr(shadowing, "judge", failing)
    assert await lab.patient("22") == "released"
    assert lab.line.ask("SELECT count(*) FROM shadow_verdict") == [(0,)]


def test_the_configuration_names_what_is_watched(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED / "chemistry", tmp_path / "next")
    page = tmp_path / "next" / "pack.toml"
    page.write_text(
        page.read_text(encoding="utf-8").replace('version = "2026.3"', 'version = "next"'), encoding="utf-8"
    )
    (tmp_path / "bad").mkdir()
    (tmp_path / "labmw.toml").write_text('[site]\nid = "T"\n[rules]\nshadow = ["next", "./bad"]\n', encoding="utf-8")
    shadows, broken = shadows_of(load_config(tmp_path / "labmw.toml"), chemistry())
    assert [one.name.partition("#")[0] for one in shadows] == ["chemistry@next"]
    assert [pack.version for pack in shadows[0].packs.active] == ["next"], "in the place of the one in force"
    assert len(broken) == 1


async def test_the_store_can_be_replayed_with_the_same_verdicts(lab: Controlled) -> None:
    lab.write(
        "INSERT INTO previous (site, patient, loinc, completed_at, number, unit) VALUES (?, 'P-S3', '1742-6', ?, '21', 'U/L')",
        SITE, stamp(START - timedelta(days=2)),
    )  # fmt: skip
    for tube, value in zip(TUBES, ["22", "2200", "90", "20", "30"], strict=False):
        await lab.patient(value, specimen=tube)
    lab.write(
        "INSERT INTO verdict (site, result, level, decided_at, decided_by) SELECT site, id, 0, ?, 'Dr A' FROM result WHERE value = '2200'",
        stamp(START),
    )
    made = await lab.line.store.view(table(SITE, None, None))
    assert made.filter(made["judged"]).height == 5
    assert made.filter(~made["judged"])["number"].to_list() == [21.0], "what the LIS told is compared with, not judged"
    judged = replayed(prepare(made, [chemistry()]), chemistry()).table.sort("result")
    given = [row[0] for row in lab.line.ask("SELECT level FROM verdict WHERE decided_by = 'rules' ORDER BY result")]
    assert judged["verdict"].to_list() == given
    assert judged["decision"].to_list() == ["", "released", "", "", ""]
    later = await lab.line.store.view(table(SITE, START + timedelta(days=1), None))
    assert not later["judged"].any()


async def test_indicators_count_results_and_dossiers_and_what_people_did(lab: Controlled) -> None:
    for tube, value in zip(TUBES, ["22", "2200", "2300", "20"], strict=False):
        await lab.patient(value, specimen=tube)
    lab.write(
        "INSERT INTO verdict (site, result, level, decided_at, decided_by) SELECT site, id, 0, ?, 'Dr A' FROM result WHERE value = '2200'",
        stamp(START),
    )
    lab.write(
        "INSERT INTO verdict (site, result, level, decided_at, decided_by) SELECT site, id, 4, ?, 'Dr A' FROM result WHERE value = '2300'",
        stamp(START),
    )
    lab.write("UPDATE result SET state = 'withdrawn' WHERE value = '20'")
    lab.write("UPDATE specimen SET ward = 'ICU' WHERE identifier = 'S1'")
    now = datetime(2027, 1, 1, tzinfo=UTC)
    found = await lab.line.store.view(indicators(SITE, START - timedelta(days=1), now, ZoneInfo("Europe/Paris")))
    assert (found.results.judged, found.results.released, found.results.share) == (4, 2, 0.5)
    assert (found.dossiers.judged, found.dossiers.released) == (4, 2)
    assert (found.decided, found.released_unchanged, found.corrected) == (2, 1, 1)
    assert {ward: (rate.judged, rate.released) for ward, rate in found.by["ward"].items()} == {
        "-": (3, 1),
        "ICU": (1, 1),
    }
    assert list(found.by["hour"]) == ["09"], "eight o'clock in UTC is nine in Paris"
    assert list(found.by["version"]) == ["chemistry@2026.3"]
    kept = found.reasons["chemistry/LIMIT"]
    assert (kept.kept, kept.decided, kept.released_unchanged) == (2, 2, 1)
    assert sum(one.alone for one in found.reasons.values()) <= 2
    empty = await lab.line.store.view(indicators(SITE, now, now, ZoneInfo("Europe/Paris")))
    assert empty.results.share is None


async def test_a_result_judged_twice_counts_once_by_its_first_verdict(lab: Controlled) -> None:
    await lab.patient("2200")
    lab.write(
        "INSERT INTO verdict (site, result, level, decided_at, decided_by) SELECT site, id, 0, ?, 'rules' FROM result",
        stamp(START),
    )
    found = await lab.line.store.view(
        indicators(SITE, START - timedelta(days=1), datetime(2027, 1, 1, tzinfo=UTC), ZoneInfo("UTC"))
    )
    assert (found.results.judged, found.results.released) == (1, 0)


async def test_the_commands_say_it_in_two_languages_and_as_json(lab: Controlled, tmp_path: Path) -> None:
    watching(lab)
    await lab.patient("2200")
    await lab.patient("22", specimen="S2")
    await lab.line.store.stop()

    def run(*arguments: str) -> str:
        done = forked.run("rules", *arguments, env={**os.environ, "LABMW_CONFIG": str(tmp_path / "labmw.toml")})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "50.0%" in run("indicators", "--from", "2026-01-01", "-l", "en")
    assert "partis d'eux-mêmes" in run("indicators", "--from", "2026-01-01", "-l", "fr")
    told: Any = json.loads(run("indicators", "--from", "2026-01-01", "--json"))
    assert told["results"] == {"judged": 2, "released": 1, "share": 0.5}
    assert "would let them go: 1" in run("shadow", "-l", "en")
    assert "observé" in run("shadow", "chemistry", "-l", "fr")
    assert json.loads(run("shadow", "--json"))[0]["flips"]["released"][0]["specimen"] == "S1"
    assert "2 results of 2 specimens" in run(
        "replay", "--pack", str(SHIPPED / "chemistry"), "--data", "store", "-l", "en"
    )
