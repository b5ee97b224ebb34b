"""Does the command play, report, and end with a code that means something? Run as labmw's demo runs it: another process."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from protocols.hl7.mllp import wrap
from simulators.__main__ import main
from simulators.host import Host

SCENARIO = """
seed = 3
settle = 0.05
[lis]
[[analyzer]]
name = "xn"
dialect = "sysmex-xn"
connect = "127.0.0.1:1"
samples = 3
[[analyzer.planted]]
case = "twice"
times = 2
expect = [{ state = "released" }]
[[analyzer]]
name = "c311"
dialect = "roche-cobas-c311"
pty = "tty-c311"
samples = 2
"""


async def started(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulators", *arguments, stderr=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )


async def ready(process: asyncio.subprocess.Process, word: str = "ready") -> list[str]:
    assert process.stderr is not None
    lines = []
    while line := (await process.stderr.readline()).decode():
        lines.append(line)
        if word in line:
            return lines
    raise AssertionError("".join(lines))


def loaded(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


async def play(folder: Path, more: Sequence[str] = ()) -> tuple[int, dict[str, Any], Host, Host]:
    xn, c311 = Host(), Host()
    await asyncio.to_thread((folder / "s.toml").write_text, SCENARIO)
    async with xn.listening() as port:
        process = await started(
            str(folder / "s.toml"), "--connect", f"xn=127.0.0.1:{port}", "--speed", "100", "--folder", str(folder),
            "--report", str(folder / "report.json"), "--ready", str(folder / "ready.json"), *more,
        )  # fmt: skip
        await ready(process)
        async with c311.on_serial(str(folder / "tty-c311")):
            if "--hold" in more:
                await ready(process, "all analyzers are done")
                process.send_signal(signal.SIGTERM)
            await process.communicate()
    return process.returncode or 0, loaded(folder / "report.json"), xn, c311


async def test_a_scenario_is_played_and_reported(tmp_path: Path) -> None:
    code, report, xn, c311 = await play(tmp_path)
    assert code == 0
    assert (report["phase"], report["complete"]) == ("finished", True)
    assert [len(one["messages"]) for one in report["analyzers"]] == [5, 2]
    assert (len(xn.messages), len(c311.messages)) == (5, 2)
    assert report["counts"] == {"messages": 7, "results": 4 * 13 + 2 * 11, "main": 4 * 13 + 2 * 8, "acknowledged": 74}
    assert [(one["case"], one["expect"][0]["state"]) for one in report["planted"]] == [("twice", "released")]
    assert report["lis"]["received"] == 0
    twice = [row for row in report["analyzers"][0]["results"] if row["case"] == "twice"]
    assert {row["transmissions"] for row in twice} == {2}
    told = loaded(tmp_path / "ready.json")
    assert told["analyzers"]["c311"].startswith("/dev/")
    assert len(told["worklist"]["specimens"]) == 6


async def test_the_lis_stays_until_it_is_told_to_go(tmp_path: Path) -> None:
    code, report, _, _ = await play(tmp_path, ["--hold"])
    assert code == 0
    assert report["phase"] == "finished"


async def test_what_is_not_acknowledged_ends_with_1(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    process = await started(
        "analyzer", "--dialect", "erba-xl", "--connect", "127.0.0.1:1", "--patience", "0.3", "--report", str(report)
    )
    _, told = await process.communicate()
    assert process.returncode == 1
    assert b"was not acknowledged in 0.3 s" in told
    assert loaded(report)["complete"] is False


async def test_one_analyzer_alone_hangs_up_and_leaves_l_out(tmp_path: Path) -> None:
    host = Host()
    async with host.listening() as port:
        process = await started(
            "analyzer", "--dialect", "sysmex-xn", "--connect", f"127.0.0.1:{port}", "--samples", "2", "--speed", "100",
            "--hang-up-after", "5", "--unterminated", "--split", "0.5",
        )  # fmt: skip
        await process.communicate()
    assert process.returncode == 0
    assert [(one.structure, one.terminated) for one in host.messages] == [
        ("HPORR", False),
        ("HPO" + "R" * 13, False),
        ("HPO" + "R" * 13 + "L", True),
    ]


async def test_one_lis_alone(tmp_path: Path) -> None:
    process = await started("lis", "--listen", "127.0.0.1:0", "--report", str(tmp_path / "lis.json"))
    port = int((await ready(process, "listens on"))[-1].rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(wrap(b"MSH|^~\\&|A|B|C|D|2025||ORU^R01^ORU_R01|M1|P|2.5.1\r"))
    assert b"MSA|AA|M1" in await reader.read(1000)
    writer.close()
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    assert process.returncode == 0
    assert loaded(tmp_path / "lis.json")["distinct"] == 1


async def test_one_host_alone_and_an_analyzer_that_waits_for_it(tmp_path: Path) -> None:
    host = await started("host", "--listen", "127.0.0.1:0", "--keep", str(tmp_path / "kept"))
    port = int((await ready(host, "listens on port"))[-1].rpartition(" ")[2])
    analyzer = await started(
        "analyzer", "--dialect", "horiba-yumizen-h500", "--connect", f"127.0.0.1:{port}",
        "--capture", "simulators/recordings/yumizen-h500.wire", "--speed", "100",
    )  # fmt: skip
    await analyzer.communicate()
    assert analyzer.returncode == 0
    host.send_signal(signal.SIGTERM)
    _, told = await host.communicate()
    assert b"HPOCMMMM" in told
    assert (tmp_path / "kept").read_bytes().count(b"\x02") > 36


async def test_one_null_modem_alone(tmp_path: Path) -> None:
    host = Host()
    async with host.listening() as port:
        process = await started(
            "nullmodem", "--device-listen", "127.0.0.1:0", "--labmw-connect", f"127.0.0.1:{port}", "--corrupt", "1",
            "--at-most", "1", "--spare", "1", "--report", str(tmp_path / "faults.json"),
        )  # fmt: skip
        proxy = int((await ready(process, "the device dials"))[-1].rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy)
        writer.write(b"\x05")
        assert await reader.read(1) == b"\x06"
        writer.write(b"\x021L|1|N\r\x0304\r\n")
        await ready(process, "dialling")
        writer.close()
        await ready(process, "hung up")
        process.send_signal(signal.SIGTERM)
        await process.communicate()
    assert loaded(tmp_path / "faults.json")["to labmw"]["faults"] == {"corrupt": 1}


def test_the_work_list_without_playing(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(SCENARIO, encoding="utf-8")
    moment = ["--now", "2025-03-10T09:30:00+01:00"]
    assert main([str(tmp_path / "s.toml"), "--worklist", str(tmp_path / "one.json"), *moment]) == 0
    assert main([str(tmp_path / "s.toml"), "--worklist", str(tmp_path / "two.json"), *moment]) == 0
    assert loaded(tmp_path / "one.json") == loaded(tmp_path / "two.json")
    assert not (tmp_path / "tty-c311").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["none.toml"], "cannot be read"),
        (["s.toml", "--connect", "other=h:1"], "is no analyzer of it; use one of xn, c311"),
        (["s.toml", "--lis", "nowhere"], "is not host:port"),
        (["nullmodem", "--device-listen", "h:1", "--labmw-connect", "h:2", "--drop", "7"], "a chance is a number"),
        (["analyzer", "--dialect", "erba-xl", "--connect", "h"], "is not host:port"),
    ],
)
def test_a_wrong_question_ends_with_2(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.toml").write_text(SCENARIO, encoding="utf-8")
    assert main(arguments) == 2
    assert told in capsys.readouterr().err


def test_our_recording_can_be_written_again(tmp_path: Path) -> None:
    assert main(["record", str(tmp_path / "again.wire")]) == 0
    assert (tmp_path / "again.wire").read_text(encoding="utf-8").startswith("# A session as a Horiba")
