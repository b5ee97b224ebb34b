"""The way out of quarantine, dead letters and alerts: a person decides, beside the running daemon, and everything decided is in the audit."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import forked
import pytest
from stage import Analyzer, Lis, Stage, eventually, free_port, message

import drivers.erba_xl
from labmw.app import Laboratory
from labmw.config import load


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
    return Stage(tmp_path, free_port(), free_port(), url=store_url)


async def labmw(stage: Stage, *arguments: str) -> tuple[int, str]:
    """Run a command beside the daemon; its exit code and what it said."""
    environment = {**os.environ, "LABMW_CONFIG": str(stage.config)}
    done = await asyncio.to_thread(forked.run, *arguments, "--language", "en", env=environment, together=True)
    return done.returncode, done.stdout


def audit(stage: Stage, *what: str) -> list[tuple[object, ...]]:
    rows = stage.ask("SELECT what, who, subject, why FROM audit ORDER BY id")
    return [row for row in rows if row[0] in what]


def number(stage: Stage, table: str) -> int:
    """That of the first row of a table."""
    ((found,),) = stage.ask(f"SELECT min(id) FROM {table}")
    return int(str(found))


OWN = '"ALTT": Test("1742-6", "U/L", (), "ALAT"),'


def own_drivers(stage: Stage, *, mended: bool) -> None:
    """The laboratory's own Erba driver, which at first does not know the test that the analyzer calls ALTNEW."""
    folder = stage.folder / "drivers"
    folder.mkdir(exist_ok=True)
    text = Path(drivers.erba_xl.__file__).read_text(encoding="utf-8")
    assert OWN in text
    more = OWN.replace("ALTT", "ALTNEW")
    (folder / "erba_xl.py").write_text(text.replace(OWN, OWN + more) if mended else text, encoding="utf-8")


async def test_what_a_mended_driver_explains_is_replayed_in_order_once(stage: Stage) -> None:
    stage.extra = '[drivers]\nfolder = "drivers"\n'
    specimens = ["S1", "S2", "S3"]
    stage.build(specimens)
    own_drivers(stage, mended=False)
    async with Lis(stage.lis_port) as lis, running(stage):
        analyzer = Analyzer(stage.analyzer_port)
        for specimen in specimens:
            await analyzer.send(specimen, message(specimen, test="ALTNEW"))
        await analyzer.send("stays", message("S1", test="NOBODY-KNOWS"))
        assert stage.ask("SELECT reason, count(*) FROM quarantine GROUP BY reason") == [("unknown-code", 4)]
        code, said = await labmw(stage, "quarantine", "list", "--json")
        assert code == 1 and [one["specimen"] for one in json.loads(said)] == ["S1", "S2", "S3", "S1"]
        assert (await labmw(stage, "quarantine", "replay", "--why", "nothing is mended yet"))[1].count(
            "left quarantine: 0"
        )
        own_drivers(stage, mended=True)
        assert (await labmw(stage, "quarantine", "replay", "--why", " "))[0] == 2
        code, said = await labmw(stage, "quarantine", "replay", "--why", "ALTNEW mapped", "--by", "Dr Test")
        assert code == 0 and "left quarantine: 3; entries that stay: 1" in said
        await eventually(lambda: len(lis.values) == 3)
        assert [specimen for specimen, _ in lis.values] == specimens  # in the order in which they came
        code, said = await labmw(stage, "quarantine", "replay", "--why", "again")
        assert "left quarantine: 0; entries that stay: 1" in said
        await eventually(lambda: stage.ask("SELECT count(*) FROM result WHERE state = 'delivered'") == [(3,)])
    assert len(lis.got) == 3
    assert stage.ask("SELECT count(*) FROM result") == [(4,)]  # each in its own row
    assert stage.ask("SELECT state, count(*) FROM quarantine GROUP BY state ORDER BY state") == [
        ("open", 1),
        ("replayed", 3),
    ]
    assert [row[1:] for row in audit(stage, "replayed")] == [
        ("Dr Test", f"message/{number(stage, 'message') + n}", "ALTNEW mapped") for n in range(3)
    ]
    assert (await labmw(stage, "store", "check"))[0] == 0


async def test_a_result_that_came_again_before_the_replay_is_not_doubled(stage: Stage) -> None:
    stage.extra = '[drivers]\nfolder = "drivers"\n'
    stage.build(["S1"])
    own_drivers(stage, mended=False)
    async with Lis(stage.lis_port) as lis, running(stage):
        await Analyzer(stage.analyzer_port).send("S1", message("S1", test="ALTNEW"))
    own_drivers(stage, mended=True)
    async with Lis(stage.lis_port) as lis, running(stage):  # the new driver is in use, and the analyzer sends again
        await Analyzer(stage.analyzer_port).send("S1", message("S1", test="ALTNEW"))
        await eventually(lambda: lis.values == [("S1", "22")])
        code, said = await labmw(stage, "quarantine", "replay", "--why", "mended")
        assert code == 0, said
        await eventually(lambda: stage.ask("SELECT count(*) FROM work") == [(0,)])
    assert lis.values == [("S1", "22")]
    assert stage.ask("SELECT count(*) FROM result") == [(1,)]
    assert (await labmw(stage, "store", "check"))[0] == 0


async def test_a_mislabelled_tube_is_assigned_and_judged_like_any_other(stage: Stage) -> None:
    stage.build(["S1"])
    async with Lis(stage.lis_port) as lis, running(stage):
        await Analyzer(stage.analyzer_port).send("S9", message("S9"))
        ((entry,),) = stage.ask("SELECT id FROM quarantine")
        for wrong in ("S8", "S9"):  # neither is known to the LIS
            code, said = await labmw(stage, "quarantine", "assign", str(entry), wrong, "--why", "x")
            assert code == 1 and "the LIS must tell it first" in said
        code, said = await labmw(
            stage, "quarantine", "assign", str(entry), "S1", "--why", "wrong label", "--by", "Dr Test"
        )
        assert code == 0, said
        await eventually(lambda: lis.values == [("S1", "22")])
        code, said = await labmw(stage, "quarantine", "assign", str(entry), "S1", "--why", "twice")
        assert code == 1 and "not open any more" in said
        assert (await labmw(stage, "quarantine", "list"))[0] == 0
        await eventually(lambda: stage.ask("SELECT specimen, state FROM result") == [("S1", "delivered")])
    assert audit(stage, "assigned")[0][1:] == ("Dr Test", f"result/{number(stage, 'result')}", "wrong label")
    code, said = await labmw(stage, "quarantine", "show", str(entry), "--json")
    told = json.loads(said)
    assert (told["closed_by"], told["note"], told["state"]) == ("Dr Test", "wrong label", "replayed")


async def test_a_tube_that_gets_a_second_result_by_hand_has_none_twice(stage: Stage) -> None:
    """Two measurements of the same second, one of them under a wrong label: a person compares them, and the store is sound."""
    stage.build(["S1"])
    async with Lis(stage.lis_port) as lis, running(stage):
        await Analyzer(stage.analyzer_port).send("S9", message("S9", "50"))
        await Analyzer(stage.analyzer_port).send("S1", message("S1"))
        await eventually(lambda: lis.values == [("S1", "22")])
        entry = str(number(stage, "quarantine"))
        assert (await labmw(stage, "quarantine", "assign", entry, "S1", "--why", "wrong label"))[0] == 0
        await eventually(lambda: stage.ask("SELECT state FROM result WHERE value = '50'") == [("held",)])
    code, said = await labmw(stage, "store", "check")
    assert code == 0, said


async def test_what_is_discarded_stays_and_goes_nowhere(stage: Stage) -> None:
    stage.build(["S1"])
    async with Lis(stage.lis_port) as lis, running(stage):
        await Analyzer(stage.analyzer_port).send("S9", message("S9"))
        ((entry,),) = stage.ask("SELECT id FROM quarantine")
        assert (await labmw(stage, "quarantine", "discard", str(entry), "--why", "water", "--by", "Dr Test"))[0] == 0
        assert (await labmw(stage, "quarantine", "discard", str(entry), "--why", "water"))[0] == 1
        await asyncio.to_thread(stage.expect, ["S9"])  # the order comes late: what a person has put away stays away
        assert "left quarantine: 0" in (await labmw(stage, "quarantine", "replay", "--why", "ordered now"))[1]
    assert lis.got == []
    assert stage.ask("SELECT state FROM result") == [("quarantined",)]
    assert (await labmw(stage, "store", "check"))[0] == 0


async def test_a_late_order_is_explained_by_a_replay(stage: Stage) -> None:
    stage.build([])
    async with Lis(stage.lis_port) as lis, running(stage):
        await Analyzer(stage.analyzer_port).send("S1", message("S1"))
        await asyncio.to_thread(stage.expect, ["S1"])
        assert (
            "left quarantine: 1"
            in (await labmw(stage, "quarantine", "replay", "--reason", "no-order", "--why", "ordered"))[1]
        )
        await eventually(lambda: lis.values == [("S1", "22")])


async def test_an_unterminated_message_is_never_released_by_a_replay(stage: Stage) -> None:
    stage.build(["S1"])
    async with Lis(stage.lis_port) as lis, running(stage):
        await Analyzer(stage.analyzer_port).send("S1", message("S1", terminated=False))
        await eventually(lambda: stage.ask("SELECT reason FROM quarantine") == [("unterminated",)])
        code, said = await labmw(stage, "quarantine", "replay", "--why", "hope")
        assert code == 0 and "left quarantine: 0; entries that stay: 1" in said
    assert lis.got == []


async def test_a_dead_letter_is_sent_again_with_its_bytes_and_one_is_held_back(stage: Stage) -> None:
    stage.build(["S1", "S2"])
    async with Lis(stage.lis_port, answers={"*": "AE"}) as lis, running(stage):
        await Analyzer(stage.analyzer_port).send("S1", message("S1"))
        await eventually(lambda: stage.ask("SELECT state FROM outbox") == [("dead",)])
        code, said = await labmw(stage, "outbox", "list")
        assert code == 1 and "dead letter" in said
        assert (await labmw(stage, "outbox", "hold", "1", "--why", "asking the LIS"))[0] == 0
        assert (await labmw(stage, "outbox", "hold", "1", "--why", "again"))[0] == 1
        lis.answers["*"] = "AA"
        assert len(lis.got) == 1
        assert (await labmw(stage, "outbox", "retry", "1", "--why", "mended there", "--by", "Dr Test"))[0] == 0
        await eventually(lambda: stage.ask("SELECT state FROM result") == [("delivered",)])
        code, said = await labmw(stage, "outbox", "retry", "1", "--why", "once more")
        assert code == 1 and "is delivered" in said
        assert (await labmw(stage, "outbox", "retry", "77", "--why", "x"))[0] == 1
    assert len(lis.got) == 2 and len(set(lis.got)) == 1  # the same number, the same bytes
    assert [row[0] for row in audit(stage, "held-back", "retried", "delivered", "dead-letter")] == [
        "dead-letter", "held-back", "retried", "delivered",
    ]  # fmt: skip
    code, said = await labmw(stage, "outbox", "show", "1", "--json")
    told = json.loads(said)
    assert told["results"][0]["specimen"] == "S1" and told["receipt"] and "TESTPERSON" not in said
    assert "TESTPERSON" in (await labmw(stage, "outbox", "show", "1", "--identity"))[1]
    assert (await labmw(stage, "store", "check"))[0] == 0


async def withdrawn_and_refused(stage: Stage, lis: Lis) -> int:
    """A result is delivered and taken back, and the LIS refuses to hear of that; the number of the message."""
    await Analyzer(stage.analyzer_port).send("S1", message("S1"))
    await eventually(lambda: stage.ask("SELECT state FROM result") == [("delivered",)])
    lis.answers["*"] = "AE"
    assert (await labmw(stage, "result", "withdraw", str(number(stage, "result")), "--why", "wrong tube"))[0] == 0
    await eventually(lambda: stage.ask("SELECT count(*) FROM outbox WHERE state = 'dead'") == [(1,)])
    lis.answers["*"] = "AA"
    return int(str(stage.ask("SELECT max(id) FROM outbox")[0][0]))


async def test_what_takes_a_value_back_never_takes_back_the_one_that_came_after_it(stage: Stage) -> None:
    stage.build(["S1"])
    async with Lis(stage.lis_port) as lis, running(stage):
        word = await withdrawn_and_refused(stage, lis)
        await Analyzer(stage.analyzer_port).send("S1", message("S1", "25", completed="20261101090000"))
        await eventually(lambda: ("S1", "25") in lis.values)
        sent = "SELECT count(*) FROM outbox WHERE state = 'delivered'"
        await eventually(lambda: stage.ask(sent) == [(2,)])
        code, said = await labmw(stage, "outbox", "retry", str(word), "--why", "mended there")
        assert code == 1 and "an older value must not stand over a newer one" in said
        assert (await labmw(stage, "outbox", "close", str(word), "--why", "the newer value says it"))[0] == 0
    assert [value for _, value in lis.values] == ["22", "", "25"]
    assert (await labmw(stage, "store", "check"))[0] == 0


async def test_a_newer_value_waits_for_what_takes_the_older_one_back(stage: Stage) -> None:
    stage.build(["S1"])
    async with Lis(stage.lis_port) as lis, running(stage):
        word = await withdrawn_and_refused(stage, lis)
        await asyncio.to_thread(stage.expect, ["S2"])
        assert (await labmw(stage, "outbox", "hold", str(word), "--why", "asking the LIS"))[0] == 0
        await Analyzer(stage.analyzer_port).send("S1", message("S1", "25", completed="20261101090000"))
        await Analyzer(stage.analyzer_port).send("S2", message("S2"))
        await eventually(lambda: ("S2", "22") in lis.values)  # nobody else waits
        assert ("S1", "25") not in lis.values
        assert (await labmw(stage, "outbox", "retry", str(word), "--why", "mended there"))[0] == 0
        await eventually(lambda: ("S1", "25") in lis.values)
    assert [value for specimen, value in lis.values if specimen == "S1"][-1] == "25"
    assert [text.split("|X|")[0] == text for _, text in lis.got if "S1&" in text][-2:] == [False, True]


async def test_a_dead_letter_behind_what_is_listed_counts_and_numbers_are_routed_one_by_one(stage: Stage) -> None:
    stage.extra = f'[[destination]]\nname = "other"\nconnect = "127.0.0.1:{free_port()}"\ntests = ["718-7"]\n'
    stage.build(["S1", "S2"])
    async with Lis(stage.lis_port, answers={"*": "AE"}), running(stage):
        await Analyzer(stage.analyzer_port).send("S1", message("S1"))
        await Analyzer(stage.analyzer_port).send("S2", message("S2"))
        await eventually(lambda: stage.ask("SELECT count(*) FROM outbox WHERE state = 'dead'") == [(2,)])
    code, said = await labmw(stage, "outbox", "list", "--most", "1")
    assert code == 1 and "Messages: 1 of 2" in said
    assert (await labmw(stage, "outbox", "list", "--most", "-1"))[0] == 2
    # The first is only waiting; what waits for a person is behind it.
    await asyncio.to_thread(stage.write, [("UPDATE outbox SET state = 'waiting' WHERE id = 1", ())])
    assert (await labmw(stage, "outbox", "list", "--most", "1"))[0] == 1
    code, said = await labmw(stage, "outbox", "route", "2", "77", "--to", "other", "--why", "moved")
    assert code == 1 and "Message 2 goes" in said and "77" in said  # what was done is said, although the next cannot be
    french = await asyncio.to_thread(
        forked.run, "outbox", "show", "2", "--language", "fr", env={**os.environ, "LABMW_CONFIG": str(stage.config)}
    )
    assert "last_error" not in french.stdout and "dernière erreur" in french.stdout and "(validé)" in french.stdout


async def test_a_period_that_is_none_is_not_answered_with_nothing(stage: Stage) -> None:
    stage.build(["S1"])
    backwards = ("--from", "2026-11-28", "--to", "2026-11-01")
    for words in (("lookback", "--lot", "X", *backwards), ("lookback", "--lot", "X", "--from", "0001-01-01")):
        code, said = await labmw(stage, *words)
        assert code == 2 and "is no moment" in said, said
    code, said = await labmw(stage, "outbox", "redeliver", "--from", "0001-01-01", "--to", "9999-12-31T23:59:59-05:00")
    assert code == 2 and "is no moment" in said
    code, said = await labmw(stage, "lookback", "--lot", "X")
    assert code == 0 and "compared letter by letter" in said


async def test_an_alert_is_closed_once_by_somebody(stage: Stage) -> None:
    stage.build(["S1"], loincs=("2345-7",))
    async with Lis(stage.lis_port), running(stage):
        await Analyzer(stage.analyzer_port).send("S1", message("S1", "600", test="GLCC", unit="mg/dL"))
        code, said = await labmw(stage, "alert", "list", "--json")
        assert code == 1, said
        (alert,) = json.loads(said)
        assert (await labmw(stage, "alert", "close", str(alert["id"]), "--why", "ward called", "--by", "Dr Test"))[
            0
        ] == 0
        assert (await labmw(stage, "alert", "close", str(alert["id"]), "--why", "ward called"))[0] == 1
        assert (await labmw(stage, "alert", "list"))[0] == 0
    assert audit(stage, "alert-closed")[0][1:] == ("Dr Test", f"result/{number(stage, 'result')}", "ward called")


async def test_the_dossier_of_a_specimen_is_whole_and_the_audit_under_it_holds(stage: Stage) -> None:
    stage.build(["S1"])
    async with Lis(stage.lis_port) as lis, running(stage):
        await Analyzer(stage.analyzer_port).send("S1", message("S1"))
        await eventually(lambda: stage.ask("SELECT state FROM result") == [("delivered",)])
    code, said = await labmw(stage, "audit", "verify", "--json")
    chain = json.loads(said)
    assert code == 0 and chain["sealed"] == 2 and chain["open"] == 0  # sealed as the daemon closed
    folder = stage.folder / "dossier"
    code, said = await labmw(stage, "audit", "dossier", "S1", "--to", str(folder))
    assert code == 0, said
    told = json.loads((folder / "dossier.json").read_text())
    assert [row["what"] for row in told["audit"]] == ["verified", "delivered"]
    assert told["chain"]["hash"] == chain["hash"] and not told["chain"]["broken"]
    (sent,) = folder.glob("outbox-*-sent.hl7")
    assert sent.read_bytes().decode().strip("\r") == lis.got[0][1]
    assert b"".join(message("S1")) == (folder / f"message-{number(stage, 'message')}.bin").read_bytes()
    assert (await labmw(stage, "audit", "dossier", "S7"))[0] == 1
    # Somebody changes what was written: the chain says where.
    await asyncio.to_thread(stage.write, [("UPDATE audit SET who = ? WHERE id = 1", ("nobody",))])
    code, said = await labmw(stage, "audit", "verify")
    assert code == 1 and "BROKEN" in said and "audit rows 1 to 2" in said
