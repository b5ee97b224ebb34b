"""A laboratory's own codes, through the real daemon on both stores: unknown until two people have signed, then on every result with their hash."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from stage import Analyzer, Lis, Stage, eventually, free_port, message

from labmw.app import Laboratory
from labmw.config import load
from labmw.fitting.again import replay_quarantine
from labmw.mapping.read import load as load_version
from labmw.mapping.signature import Signature, as_toml

PAGE = """
id = "LAB1"
version = "1"
author = "A. Martin"
from = 2026-01-01T00:00:00Z
[units]
"U par L" = "U/L"
[[analyte]]
id = "ALT"
name = "ALAT"
loinc = "1742-6"
unit = "U/L"
specimens = ["{specimens}"]
[[code]]
link = "analyzer"
code = "77"
analyte = "ALT"
[[code]]
link = "analyzer"
code = "ALTT"
analyte = "-"
"""
MAPPING = '[mapping]\nfolder = "mapping"\nsignatures = "mapping-signatures.toml"\n'


@contextlib.asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[Laboratory]:
    laboratory = Laboratory(load(stage.config))
    try:
        await laboratory.start()
        yield laboratory
    finally:
        await laboratory.stop()


@pytest.fixture
def stage(tmp_path: Path, store_url: str) -> Stage:
    return Stage(tmp_path, free_port(), free_port(), MAPPING, store_url)


def write(stage: Stage, specimens: str = "SER") -> str:
    folder = stage.folder / "mapping"
    folder.mkdir(exist_ok=True)
    (folder / "1.toml").write_text(PAGE.format(specimens=specimens), encoding="utf-8")
    version = load_version(folder / "1.toml")
    at = datetime(2026, 1, 2, tzinfo=UTC)
    both = [
        Signature(version.id, version.version, version.hash, who, role, at, "compared")
        for who, role in (("Dr Petit", "biologist"), ("A. Martin", "technician"))
    ]
    (stage.folder / "mapping-signatures.toml").write_text("".join(as_toml(one) for one in both), encoding="utf-8")
    return version.name


def states(stage: Stage) -> list[tuple[object, ...]]:
    return stage.ask("SELECT code, state FROM result ORDER BY id")


async def test_its_own_code_is_released_with_the_version_on_it(stage: Stage) -> None:
    stage.build(["S1"])
    name = write(stage)
    async with Lis(stage.lis_port) as lis, running(stage):
        analyzer = Analyzer(stage.analyzer_port)
        await analyzer.send("S1", message("S1", test="77", unit="U par L"))
        await eventually(lambda: lis.values == [("S1", "22")])
        await analyzer.send(
            "S1", message("S1", test="ALTT", value="23", completed="20261101080100")
        )  # "-": never reported
        await eventually(lambda: states(stage) == [("77", "delivered"), ("ALTT", "detail")])
    [(result,), _] = stage.ask("SELECT mapping_version FROM result ORDER BY id")
    assert str(result).endswith(f"+{name}")


async def test_without_two_signatures_nothing_it_names_is_known_until_it_is_signed_and_replayed(stage: Stage) -> None:
    stage.build(["S1"])
    write(stage)
    kept = stage.folder / "mapping-signatures.toml"
    both = kept.read_text(encoding="utf-8")
    kept.write_text(both.partition("\n[[signature]]")[0] + "\n", encoding="utf-8")
    async with Lis(stage.lis_port) as lis:
        async with running(stage):
            analyzer = Analyzer(stage.analyzer_port)
            await analyzer.send("S1", message("S1", test="77"))
            await analyzer.send(
                "S1", message("S1", test="ALTT", completed="20261101080100")
            )  # the shipped driver knows it
            await eventually(lambda: states(stage) == [("77", "quarantined"), ("ALTT", "quarantined")])
        assert stage.ask("SELECT DISTINCT reason FROM quarantine") == [("unknown-code",)]
        kept.write_text(both, encoding="utf-8")
        await replay_quarantine(load(stage.config), reason="", messages=(), by="Dr Petit", why="signed")
        async with running(stage):
            await eventually(lambda: states(stage) == [("77", "delivered"), ("ALTT", "detail")])
        assert lis.values == [("S1", "22")]


async def test_a_tube_of_another_kind_is_held(stage: Stage) -> None:
    stage.build(["S1"])
    write(stage, "UR")
    async with running(stage):
        await Analyzer(stage.analyzer_port).send("S1", message("S1", test="77"))
        await eventually(lambda: states(stage) == [("77", "held")])
    [(reasons,)] = await asyncio.to_thread(stage.ask, "SELECT reasons FROM verdict")
    [reason] = [one for one in json.loads(str(reasons)) if one["code"] == "other-specimen"]
    assert reason["facts"] == {"kind": "SER", "wanted": "UR"}
