"""Messages whose transactions are played side by side leave what they leave one after the other (decision 0070)."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lineside import Lineside, lineside
from readings import reading, received, result

from labmw.driver.reading import Reading
from labmw.errors import StoreError
from labmw.lab import intake
from labmw.line.received import Received
from labmw.model import Disposition
from labmw.store import Transaction
from labmw.store.statements import INSERT_JOURNAL
from labmw.store.transaction import Step

RESULTS = st.builds(
    result,
    st.sampled_from(["22", "23"]),
    specimen=st.sampled_from(["S1", "S2", "S3", ""]),
    run=st.sampled_from(["", "", "1"]),
    time=st.sampled_from(["20261101080000", ""]),
    status=st.sampled_from(["F", "P"]),
)
MESSAGES = st.lists(
    st.tuples(st.lists(RESULTS, max_size=3), st.sampled_from([True, True, False]), st.sampled_from(["", "1", "2"])),
    min_size=2,
    max_size=7,
)

LEFT = {
    "message": "SELECT raw, disposition, reason, tolerances FROM message ORDER BY raw",
    "result": """SELECT message.raw, result.ordinal, identity, run, value, status, state, patient
        FROM result JOIN message ON message.id = result.message ORDER BY 1, 2, 3, 4""",
    "repeat": """SELECT message.raw, repeat.record, result.identity, result.run FROM repeat
        JOIN message ON message.id = repeat.message JOIN result ON result.id = repeat.result ORDER BY 1, 2, 3, 4""",
    "quarantine": """SELECT message.raw, quarantine.reason, quarantine.facts, quarantine.state
        FROM quarantine JOIN message ON message.id = quarantine.message ORDER BY 1, 2, 3, 4""",
    "work": "SELECT message.raw, work.kind FROM work JOIN message ON message.id = work.message ORDER BY 1, 2",
    "order": 'SELECT specimen, loinc, state FROM "order" ORDER BY 1, 2',
    "journal": "SELECT session, data FROM journal ORDER BY 1, 2",
}


def as_given(one: Received) -> Reading:
    assert isinstance(one.message, Reading)
    return one.message


def messages(plan: list[tuple[list[Any], bool, str]]) -> list[Received]:
    """What the lines have heard; numbered, so that both ways give them the same bytes."""
    found = []
    for number, (results, understood, control_id) in enumerate(plan):
        disposition = Disposition.ACCEPTED if understood else Disposition.QUARANTINED
        said = reading(
            *results, disposition=disposition, reason="" if understood else "unknown-sender", message_id=control_id
        )
        session = f"session-{number}"
        line = {"site": "LAB", "link": "analyzer", "session": session, "at": "2026", "direction": ">", "data": b"x"}
        found.append(
            received(
                message=said,
                session=session,
                raw=b"message %d" % number,
                control_id=control_id,
                first_attempt=True,
                before=(Step(INSERT_JOURNAL, (line,)),),
            )
        )
    return found


def busy(begun: threading.Event, go: threading.Event) -> Transaction[None]:
    begun.set()
    go.wait(20)
    return
    yield


async def at_once(line: Lineside, said: list[Received]) -> None:
    """Take all of them while the writer is busy, so that they become one group."""
    begun, go = threading.Event(), threading.Event()
    line.store.submit(busy(begun, go))
    taking = [asyncio.create_task(line.intake.take(one)) for one in said]
    await asyncio.to_thread(begun.wait, 20)
    await asyncio.sleep(0)  # every one of them has queued its transaction
    go.set()
    await asyncio.gather(*taking)


async def left(said: list[Received], *, beside: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        async with lineside(Path(folder), ["S1", "S2"], read=as_given) as line:
            if beside:
                await at_once(line, said)
            else:
                for one in said:
                    await line.intake.take(one)
            return {name: line.ask(question) for name, question in LEFT.items()}


@settings(deadline=None, max_examples=12)
@given(MESSAGES)
async def test_side_by_side_leaves_what_one_after_the_other_leaves(plan: list[tuple[list[Any], bool, str]]) -> None:
    assert await left(messages(plan), beside=True) == await left(messages(plan), beside=False)


TWICE = [([result()], True, ""), ([result(time="20261101080000")], True, "")]


async def test_the_same_result_on_two_lines_is_kept_once() -> None:
    found = await left(messages(TWICE), beside=True)
    assert [len(found[name]) for name in ("message", "result", "repeat")] == [2, 1, 1]


async def test_the_variant_that_says_they_concern_different_things_falls_back_on_the_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Were a tube forgotten, the key of a result would still let none in twice: both are played again, one after the other."""
    names = itertools.count()
    monkeypatch.setattr(intake, "concerns", lambda *_: frozenset({str(next(names))}))
    found = await left(messages(TWICE), beside=True)
    assert [len(found[name]) for name in ("message", "result", "repeat")] == [2, 1, 1]


async def test_the_variant_that_forgets_the_number_keeps_a_message_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes under the same number on two connections: no key forbids it, only that they concern the same."""

    async def kept() -> int:
        said = messages([([], True, "1"), ([], True, "1")])
        return len((await left([one_as(said[0], one) for one in said], beside=True))["message"])

    assert await kept() == 1
    names = itertools.count()
    monkeypatch.setattr(intake, "concerns", lambda *_: frozenset({str(next(names))}))
    assert await kept() == 2


def one_as(first: Received, other: Received) -> Received:
    return received(
        message=first.message, raw=first.raw, control_id=first.control_id, session=other.session, first_attempt=True
    )


async def test_a_disk_that_fails_refuses_all_of_them(tmp_path: Path) -> None:
    async with lineside(tmp_path, ["S1", "S2"], read=as_given) as line:
        line.disk.broken = True
        said = messages([([result(specimen=name)], True, "") for name in ("S1", "S2")])
        with pytest.raises(StoreError):
            await at_once(line, said)
        line.disk.broken = False
        assert line.ask("SELECT count(*) FROM message") == [(0,)]
        await at_once(line, said)
        assert line.ask("SELECT count(*) FROM result") == [(2,)]
