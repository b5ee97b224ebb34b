"""The one transaction of intake: whole or not at all, once, and never in the way of an ACK that is due (laws 3 to 7)."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lineside import Lineside, lineside
from readings import patient, reading, received, result
from stage import ALT, SITE

from labmw.driver.reading import Reading, ResultRead
from labmw.errors import StoreBusy, StoreError
from labmw.lab import intake as intake_module
from labmw.lab.unread import is_the_message, storable
from labmw.line.received import UNTERMINATED, Received
from labmw.metrics import TOLERANCES
from labmw.model import Disposition, Flag
from labmw.quantity import Quantity
from labmw.store import schema, statements
from labmw.store.transaction import Step, Transaction
from rules.pack import SHIPPED, Packs, load
from rules.signature import Signature

POTASSIUM = "2823-3"


def chemistry() -> Packs:
    pack = load(SHIPPED / "chemistry")
    signed = Signature(
        pack.id, pack.version, pack.hash, "Dr Test", "biologist", datetime(2026, 1, 1, tzinfo=UTC), "test"
    )
    return Packs.of([pack], [signed])


def as_given(one: Received) -> Reading:
    """The reading that the test put in the place of the message, or the fault of a driver."""
    if isinstance(one.message, Exception):
        raise one.message
    assert isinstance(one.message, Reading)
    return one.message


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Lineside]:
    async with lineside(tmp_path, ["S1", "S2"], read=as_given, packs=chemistry()) as one:
        yield one


async def take(line: Lineside, message: Reading | Exception, **different: Any) -> Any:
    return await line.intake.take(received(message=message, **different))


async def close(line: Lineside, session: str, why: str) -> None:
    def script() -> Transaction[None]:
        yield statements.insert_once(
            schema.session, id=session, site=SITE, link="analyzer", opened_at="2026", closed_at="2026", closing=why
        )

    await line.store.run(script())


POTASSIUM_CRITICAL = result(
    "7.9", code="K", loinc=POTASSIUM, test_name="K", unit_raw="mmol/L", ucum="mmol/L",
    quantity=Quantity(Decimal("7.9"), "", "mmol/L"),
)  # fmt: skip


# --- one transaction --------------------------------------------------------------------------------------------------------


async def test_everything_a_message_says_is_there_when_take_returns(line: Lineside) -> None:
    stored = await take(line, reading(result(), result(specimen="S9")))
    assert (stored.disposition, stored.results, stored.repeat) == ("accepted", 2, False)
    assert line.ask("SELECT id FROM message") == [(stored.message,)]
    assert line.ask("SELECT specimen, state FROM result ORDER BY id") == [("S1", "verify"), ("S9", "quarantined")]
    assert line.ask("SELECT reason, state FROM quarantine") == [("no-order", "open")]
    assert line.ask("SELECT message, kind, attempts FROM work") == [(stored.message, "verify", 0)]


async def test_a_message_without_anything_for_the_rules_leaves_no_work(line: Lineside) -> None:
    await take(line, reading())
    await take(line, reading(result(specimen="S9")))
    assert line.ask("SELECT count(*) FROM work") == [(0,)]


async def test_a_transaction_that_fails_leaves_nothing(line: Lineside) -> None:
    line.disk.broken = True
    with pytest.raises(StoreError):
        await take(line, reading(result()))
    line.disk.broken = False
    for table in ("message", "result", "work"):
        assert line.ask(f"SELECT count(*) FROM {table}") == [(0,)]


async def test_what_is_committed_late_is_recognised_when_it_comes_again(tmp_path: Path) -> None:
    async with lineside(tmp_path, ["S1"], read=as_given, commit_timeout=1.0) as line:
        one = received(message=reading(result()))
        line.disk.ready.clear()
        with pytest.raises(StoreBusy):
            await line.intake.take(one)
        line.disk.ready.set()
        stored = await line.intake.take(one)
        assert stored.repeat
        assert line.ask("SELECT count(*) FROM message") == [(1,)]
        assert line.ask("SELECT count(*) FROM result") == [(1,)]


async def test_the_beginning_of_a_message_that_was_committed_late_is_not_kept_beside_it(line: Lineside) -> None:
    whole = received(message=reading(result(time="")))
    await line.intake.take(whole)
    begun = replace(whole, raw=b"message", last=4, place=UNTERMINATED)
    assert (await line.intake.take(begun)).repeat
    assert line.ask("SELECT count(*) FROM message") == [(1,)]


# --- what cannot be read or stored -----------------------------------------------------------------------------------------


async def test_a_driver_that_fails_on_a_message_stops_this_message_alone(line: Lineside) -> None:
    stored = await take(line, IndexError("tuple index out of range"))
    assert (stored.disposition, stored.reason) == ("quarantined", "reading-failed")
    assert line.ask("SELECT reason, facts FROM quarantine") == [
        ("reading-failed", '{"error": "IndexError: tuple index out of range"}')
    ]
    assert line.ask("SELECT length(raw) > 0 FROM message") == [(1,)]
    await take(line, reading(result()))
    assert line.ask("SELECT state FROM result") == [("verify",)]


@pytest.mark.parametrize(
    "spoilt",
    [
        {"test_name": "\udce9"},  # a byte outside the encoding, in a message that claims to be ASCII
        {"record": 2**70},
        {"flags_raw": object()},
    ],
)
async def test_what_no_column_can_hold_is_quarantined_and_not_refused_for_ever(
    spoilt: dict[str, Any], line: Lineside
) -> None:
    stored = await take(line, reading(result(**spoilt)))
    assert (stored.disposition, stored.reason) == ("quarantined", "storing-failed")
    assert line.ask("SELECT count(*) FROM message") == [(1,)]
    assert line.ask("SELECT count(*) FROM result") == [(0,)]


async def test_bytes_outside_the_encoding_are_written_out_and_tell_two_specimens_apart(line: Lineside) -> None:
    for specimen in ("S\udce9", "S\udce8"):
        await take(
            line, reading(result(specimen=specimen), sender="\udcff"), raw=specimen.encode("utf-8", "surrogateescape")
        )
    assert line.ask("SELECT specimen FROM result ORDER BY id") == [("S\\udce9",), ("S\\udce8",)]
    assert line.ask("SELECT DISTINCT sender FROM message") == [("\\udcff",)]


def test_only_what_cannot_be_stored_changes() -> None:
    one = reading(result("é", flags=frozenset({Flag.HIGH}), comments=("µ", "\udc80")))
    assert storable(one) == replace(one, results=(replace(one.results[0], comments=("µ", "\\udc80")),))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (StoreBusy("queue full"), False),
        (StoreError("not open"), False),
        (KeyError("a fault of ours"), True),
        (sqlite3.OperationalError("disk I/O error"), True),
    ],
)
def test_the_disk_is_told_from_the_message(error: Exception, message: bool) -> None:
    assert is_the_message(error) is message


async def test_more_results_than_any_analyzer_sends_are_kept_unread(
    line: Lineside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "MAX_RESULTS", 3)
    stored = await take(line, reading(*[result(specimen=f"S{n}") for n in range(4)]))
    assert (stored.reason, stored.results) == ("too-many-results", 0)
    stored = await take(line, reading(*[result(specimen=f"S{n}") for n in range(3)]))
    assert stored.results == 3


async def test_what_can_be_counted_beforehand_is_not_read_at_all(
    line: Lineside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "MAX_RESULTS", 3)
    never = AssertionError("it was read")
    stored = await take(line, never, raw=b"MSH|^~\\&|\r" + 4 * b"OBX|1|NM|K^K^L||4.2|mmol/L\r")
    assert (stored.reason, stored.results) == ("too-many-results", 0)
    assert json.loads(str(line.ask("SELECT facts FROM quarantine")[0][0])) == {"count": "4", "most": "3"}


async def test_a_message_of_as_many_results_as_are_allowed_is_stored(line: Lineside) -> None:
    many = [result(str(n), specimen=f"X{n % 5000}", code=f"C{n // 5000}") for n in range(intake_module.MAX_RESULTS)]
    stored = await take(line, reading(*many))
    assert stored.results == intake_module.MAX_RESULTS
    assert line.ask("SELECT count(*) FROM result") == [(intake_module.MAX_RESULTS,)]
    await take(line, reading(result()))
    assert line.ask("SELECT count(*) FROM result") == [(intake_module.MAX_RESULTS + 1,)]


# --- repeats ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("closing", "results", "reason"),
    [("eot", 2, "ambiguous-repeat"), ("closed", 2, "ambiguous-repeat"), ("hang-up", 1, ""), ("timeout", 1, ""),
     ("eot-after-silence", 1, ""), ("eot-in-doubt", 1, ""), ("restart", 1, "")],
)  # fmt: skip
async def test_without_a_time_the_end_of_the_session_decides(
    closing: str, results: int, reason: str, line: Lineside
) -> None:
    await take(line, reading(result(time="")), session="first")
    await close(line, "first", closing)
    await take(line, reading(result(time="")))
    assert line.ask("SELECT count(*) FROM result") == [(results,)]
    assert line.ask("SELECT coalesce(max(reason), '') FROM quarantine") == [(reason,)]
    assert line.ask("SELECT count(*) FROM repeat") == [(2 - results,)]


@pytest.mark.parametrize(("recycled", "results"), [(False, 1), (True, 2)])
async def test_a_run_without_time_is_a_repeat_only_while_the_tube_is_the_same(
    results: int, line: Lineside, *, recycled: bool
) -> None:
    """The number has been given to another tube since: its equal value is a result of its own, and a person looks."""
    line.stage.expect(["S9"])
    await take(line, reading(result(specimen="S9", time="", run="1")), session="first")
    if recycled:
        line.stage.write(
            [
                ("UPDATE result SET received_at = ?", ("2020-01-01T00:00:00.000000Z",)),
                ("UPDATE specimen SET valid_from = ?", ("2026-01-01T00:00:00.000000Z",)),
            ]
        )
    await take(line, reading(result(specimen="S9", time="", run="1")), session="second")
    assert line.ask("SELECT count(*) FROM result") == [(results,)]
    assert line.ask("SELECT coalesce(max(reason), '') FROM quarantine") == [("ambiguous-repeat" if recycled else "",)]


async def test_a_serial_number_makes_one_analyzer_of_two_lines(line: Lineside) -> None:
    for link in ("analyzer", "other"):
        await take(line, reading(result(), serial="E1394"), link=link)
        await take(line, reading(result("31")), link=link)
    assert line.ask("SELECT analyzer, value FROM result ORDER BY id") == [
        ("E1394", "22"),
        ("analyzer", "31"),
        ("other", "31"),
    ]


async def test_a_quarantined_result_sent_again_whole_takes_its_row_and_raises_its_alert_once(line: Lineside) -> None:
    """A critical potassium in a message that was cut, then sent again whole, and once more."""
    line.stage.expect([], [])
    with sqlite3.connect(line.stage.database) as store:
        store.execute(
            'INSERT INTO "order" (site, specimen, loinc, placer) VALUES (?, ?, ?, ?)', (SITE, "S1", POTASSIUM, "O")
        )
    store.close()
    cut = reading(POTASSIUM_CRITICAL, terminated=False, disposition=Disposition.QUARANTINED, reason="unterminated")
    first = await take(line, cut)
    assert line.ask("SELECT kind, state FROM alert") == [("critical", "open")]
    assert line.ask("SELECT reason, state FROM quarantine") == [("unterminated", "open")]
    second = await take(line, reading(POTASSIUM_CRITICAL))
    assert line.ask("SELECT message, state FROM result") == [(second.message, "verify")]
    assert line.ask("SELECT state, closed_by, note FROM quarantine") == [
        ("replayed", "labmw", f"sent again in message {second.message}")
    ]
    assert line.ask("SELECT message FROM work") == [(second.message,)]
    await take(line, reading(POTASSIUM_CRITICAL))
    assert line.ask("SELECT count(*) FROM alert") == [(1,)]
    assert line.ask("SELECT count(*) FROM repeat") == [(1,)]
    assert first.message != second.message


async def test_a_message_of_which_only_a_part_was_sent_again_stays_in_quarantine(line: Lineside) -> None:
    other = replace(result(), specimen="S2")
    cut = reading(result(), other, terminated=False, disposition=Disposition.QUARANTINED, reason="unterminated")
    await take(line, cut)
    await take(line, reading(result()))
    assert line.ask("SELECT reason, state FROM quarantine") == [("unterminated", "open")]


@pytest.mark.parametrize("stored_before", [True, False])
async def test_the_same_result_twice_in_one_message_is_one_whatever_the_first_was(
    stored_before: bool, line: Lineside
) -> None:
    """The first with an objection, the second without: the second takes its place, whether the first is in the store or not."""
    doubtful = result(problem="unexpected-status")
    if stored_before:
        await take(line, reading(doubtful))
        message = reading(result(), result())
    else:
        message = reading(doubtful, result(), result())
    await take(line, message)
    assert line.ask("SELECT state FROM result") == [("verify",)]
    assert line.ask("SELECT count(*) FROM repeat") == [(1,)]
    assert line.ask("SELECT count(*) FROM quarantine WHERE state = 'open'") == [(0,)]
    assert line.ask("SELECT count(*) FROM work") == [(1,)]


async def test_a_critical_value_twice_in_one_message_alerts_once(line: Lineside) -> None:
    doubtful = replace(POTASSIUM_CRITICAL, problem="unexpected-status")
    await take(line, reading(doubtful, POTASSIUM_CRITICAL, POTASSIUM_CRITICAL))
    assert line.ask("SELECT count(*) FROM alert") == [(1,)]


async def test_two_runs_in_one_message_are_two_results(line: Lineside) -> None:
    await take(line, reading(result("22"), result("31"), result("22")))
    assert line.ask("SELECT value, run FROM result ORDER BY id") == [("22", ""), ("31", "2")]
    assert line.ask("SELECT count(*) FROM repeat") == [(1,)]


async def test_a_separator_sent_inside_a_field_does_not_make_one_key_of_two(line: Lineside) -> None:
    one = result(specimen="A\x1fB", code="C")
    other = result(specimen="A", code="B\x1fC")
    await take(line, reading(one, other))
    assert line.ask("SELECT count(*), count(DISTINCT key) FROM result") == [(2, 2)]


# --- alerts, counts, HL7 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("read", "alerts"),
    [
        (POTASSIUM_CRITICAL, 1),
        (replace(POTASSIUM_CRITICAL, specimen="S9"), 1),  # also where it is not known whose it is
        (replace(POTASSIUM_CRITICAL, main=False), 0),
        (replace(POTASSIUM_CRITICAL, index="H"), 0),
        (replace(POTASSIUM_CRITICAL, quantity=None, number=None, value="?"), 0),
        (result(), 0),
    ],
)
async def test_a_critical_value_raises_its_alert_whatever_becomes_of_it(
    read: ResultRead, alerts: int, line: Lineside
) -> None:
    await take(line, reading(read))
    assert line.ask("SELECT count(*) FROM alert") == [(alerts,)]


async def test_the_same_hl7_message_gets_the_stored_reply_and_its_bytes_reach_the_journal(line: Lineside) -> None:
    def before(text: bytes) -> tuple[Step, ...]:
        row = {"site": SITE, "link": "analyzer", "session": "s", "at": "2026", "direction": ">", "data": text}
        return (Step(statements.INSERT_JOURNAL, (row,)),)

    common: dict[str, Any] = {"protocol": "hl7", "control_id": "M1", "raw": b"MSH|1"}
    one = await take(line, reading(message_id="M1"), answer=lambda _: b"first", before=before(b"1"), **common)
    two = await take(line, reading(message_id="M1"), answer=lambda _: b"second", before=before(b"2"), **common)
    assert (one.reply, two.reply, two.repeat) == (b"first", b"first", True)
    assert line.ask("SELECT data FROM journal ORDER BY id") == [(b"1",), (b"2",)]
    counter = TOLERANCES.labels("analyzer", "control_id_reused")
    counted = counter._value.get()
    common["raw"] = b"MSH|2"
    three = await take(line, reading(message_id="M1"), answer=lambda _: b"third", **common)
    assert (three.reply, three.repeat, three.tolerances) == (b"third", False, ("control_id_reused",))
    assert counter._value.get() == counted + 1


async def test_an_answer_that_cannot_be_made_is_a_refusal_and_not_the_end_of_the_line(line: Lineside) -> None:
    def fails(_: Reading) -> bytes:
        raise ValueError("no answer can be made")

    with pytest.raises(StoreError, match="no answer"):
        await take(line, reading(), protocol="hl7", control_id="M1", answer=fails)
    assert line.ask("SELECT count(*) FROM message") == [(0,)]


async def test_reading_a_large_message_does_not_stop_the_other_lines(tmp_path: Path) -> None:
    meanwhile = threading.Event()

    def slow(one: Received) -> Reading:
        assert meanwhile.wait(30), "the event loop stood still while a message was read"
        return reading()

    async with lineside(tmp_path, read=slow) as line:
        taking = asyncio.create_task(line.intake.take(received(raw=b"x" * 2**20)))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(meanwhile.set)
        await taking


async def test_the_sender_of_a_result_is_compared_with_its_patient(line: Lineside) -> None:
    from readings import order

    message = reading(result(), orders=(order("S1"),), patients=(patient("M", "19700101"),))
    await take(line, message)
    assert line.ask("SELECT reason FROM quarantine") == [("identity-mismatch",)]


async def test_an_old_patients_order_is_not_the_next_ones_on_a_recycled_barcode(line: Lineside) -> None:
    """S40 was one patient's until the 20th and is another's since: only the first had the test ordered."""
    line.stage.expect([], [])
    with sqlite3.connect(line.stage.database) as store:
        for patient_, start, end in (("P40", "2026-09-01", "2026-10-20"), ("P41", "2026-10-21", None)):
            store.execute("INSERT INTO patient (site, identifier) VALUES (?, ?)", (SITE, patient_))
            store.execute(
                "INSERT INTO specimen (site, identifier, kind, patient, valid_from, valid_to) VALUES (?, 'S40', 'SER', ?, ?, ?)",
                (SITE, patient_, f"{start}T00:00:00.000000Z", end and f"{end}T00:00:00.000000Z"),
            )
        store.execute(
            """INSERT INTO "order" (site, specimen, loinc, placer, ordered_at) VALUES (?, 'S40', ?, 'O40', ?)""",
            (SITE, ALT, "2026-09-02T00:00:00.000000Z"),
        )
    store.close()
    await take(line, reading(result(specimen="S40")))
    assert line.ask("SELECT state FROM result") == [("quarantined",)]
    assert line.ask("SELECT reason FROM quarantine") == [("no-order",)]
    with sqlite3.connect(line.stage.database) as store:
        store.execute(
            """INSERT INTO "order" (site, specimen, loinc, placer, ordered_at) VALUES (?, 'S40', ?, 'O41', ?)""",
            (SITE, ALT, "2026-10-20T12:00:00.000000Z"),
        )
    store.close()
    await take(line, reading(result(specimen="S40", value="31", number="31")))
    assert line.ask("SELECT patient, state FROM result WHERE value = '31'") == [("P41", "verify")]


@pytest.mark.parametrize(
    ("state", "ends"),
    [
        ("delivered", [("delivered", "F"), ("quarantined", "C")]),
        ("verify", [("verify", "F"), ("quarantined", "C")]),
        ("held", [("verify", "C")]),
        ("blocked", [("verify", "C")]),
    ],
)
async def test_the_same_value_with_another_status_is_not_swallowed(
    state: str, ends: list[tuple[str, str]], line: Lineside
) -> None:
    await take(line, reading(result(status="F")))
    with sqlite3.connect(line.stage.database) as store:
        store.execute("UPDATE result SET state = ?", (state,))
    store.close()
    await take(line, reading(result(status="C")))
    assert line.ask("SELECT state, status FROM result ORDER BY id") == ends
    reasons = line.ask("SELECT reason FROM quarantine")
    assert reasons == ([("changed-repeat",)] if len(ends) == 2 else [])


async def test_results_without_any_specimen_are_each_kept_however_often_they_come(line: Lineside) -> None:
    message = reading(result(specimen="", problem="no-specimen"))
    for _ in range(3):
        await take(line, message)
    assert line.ask("SELECT count(*), count(DISTINCT run), max(state) FROM result") == [(3, 3, "quarantined")]
    assert line.ask("SELECT DISTINCT reason FROM quarantine") == [("no-specimen",)]
