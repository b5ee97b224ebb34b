"""Every ASTM example message, put on the line as it is: acknowledged, kept byte for byte, and nothing of it believed blindly."""

from __future__ import annotations

from pathlib import Path

from lawside import running
from stage import Analyzer, Stage, eventually, free_port

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.astm"))


# Scenario 9.16.
async def test_every_example_is_acknowledged_and_kept(tmp_path: Path) -> None:
    stage = Stage(tmp_path, free_port(), free_port()).build(["26031500123"], link='driver = "any-astm"')
    async with running(stage):
        analyzer = Analyzer(stage.analyzer_port)
        for path in EXAMPLES:
            records = [record + b"\r" for record in path.read_bytes().split(b"\r") if record]
            await analyzer.send(path.stem, records)
        assert len(analyzer.acknowledged) == len(EXAMPLES) == analyzer.attempts
        await eventually(lambda: stage.ask("SELECT count(*) FROM message WHERE direction = '>'") == [(len(EXAMPLES),)])
    kept = stage.ask("SELECT raw FROM message WHERE direction = '>' ORDER BY id")
    assert [raw for (raw,) in kept] == [path.read_bytes() for path in EXAMPLES]
    assert stage.ask("SELECT count(*) FROM result WHERE state NOT IN ('quarantined', 'detail', 'control')") == [(0,)]
    assert stage.ask("SELECT count(*) FROM outbox") == [(0,)]
