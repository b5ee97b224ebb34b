"""Is the whole morning played, with every fault of its lines, and is the report true of what hosts have received?"""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from simulators import recorded
from simulators.analyzers import DIALECTS
from simulators.clock import WallClock
from simulators.host import Host
from simulators.play import Play, write_json
from simulators.scenario import load

DEMO = recorded.HERE / "scenarios" / "demo.toml"
NOW = datetime(2025, 3, 10, 9, 30, tzinfo=UTC)


async def test_the_demo_against_plain_hosts(tmp_path: Path) -> None:
    told: list[str] = []
    scenario = load(DEMO)
    hosts = {one.name: Host() for one in scenario.analyzer}
    async with AsyncExitStack() as stack:
        tables = []
        for told_to_ask in scenario.analyzer:
            one = msgspec.structs.replace(
                told_to_ask, asks=False
            )  # a plain host answers no query, and patience is real
            port = 0 if one.pty else await stack.enter_async_context(hosts[one.name].listening())
            tables.append(one if one.pty else msgspec.structs.replace(one, connect=f"127.0.0.1:{port}"))
        scenario = msgspec.structs.replace(scenario, analyzer=tables, law=[], settle=0.0)
        play = Play(scenario, WallClock(200), folder=tmp_path, told=told.append, now=NOW)
        assert not play.complete
        places = await play.open()
        await stack.enter_async_context(hosts["cobas-c311"].on_serial(str(tmp_path / "tty-cobas-c311")))
        await play.send()
        await play.settle()
        await play.close()
    assert places["analyzers"]["cobas-c311"].startswith("/dev/")
    report = play.report()
    assert (report["phase"], report["complete"], report["counts"]["results"]) == (
        "finished",
        True,
        report["counts"]["acknowledged"],
    )
    assert report["lis"]["distinct"] == 0
    by_name = {one["name"]: one for one in report["analyzers"]}
    faults = by_name["sysmex-xn"]["faults"]["to labmw"]["faults"]
    assert min(faults[kind] for kind in ("corrupt", "split", "resend")) > 2
    assert by_name["genexpert"]["connections"] == 2
    for name, one in by_name.items():
        got = set(recorded.results(hosts[name].messages, DIALECTS[one["dialect"]]))
        keys = ("specimen", "code", "detail", "value", "unit", "completed", "main")
        assert {tuple(getattr(result, key) for key in keys) for result in got} >= {
            tuple(row[key] for key in keys) for row in one["results"]
        }, name
    cut = [one for one in hosts["genexpert"].messages if not one.terminated]
    assert len(cut) == 1
    assert sum(not one.terminated for one in hosts["sysmex-xn"].messages) == 1
    assert "all analyzers are done, everything was acknowledged" in told


def test_a_report_is_written_whole(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "report.json"
    write_json(file, {"name": "É"})
    write_json(file, {"name": "É", "more": 1})
    assert file.read_text(encoding="utf-8") == '{\n "name": "É",\n "more": 1\n}\n'
    assert [one.name for one in file.parent.iterdir()] == ["report.json"]
