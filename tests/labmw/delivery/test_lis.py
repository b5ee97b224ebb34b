"""What the LIS is told: the value as it was measured, whose it is, and that nobody looked at it; or nothing at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from readings import result
from released import SENTENCE, Morning, morning, timed
from stage import ALT

from labmw.delivery.mllp import MllpSender
from labmw.errors import DeliveryError
from labmw.model import Flag
from labmw.quantity import Quantity
from protocols.hl7.er7 import Message
from protocols.hl7.messages import read_oru


@pytest.fixture
async def day(tmp_path: Path) -> AsyncIterator[Morning]:
    async with morning(tmp_path) as one:
        yield one


async def composed(day: Morning, *results: Any, change: str = "") -> Message:
    """The message of the one outbox row that these results lead to; rules set aside, they decide elsewhere."""
    if results:
        await day.release(*results)
    if change:
        day.write(change)
    day.write("UPDATE result SET state = 'released'")
    if not day.ask("SELECT id FROM outbox"):
        day.write(
            "INSERT INTO outbox (id, site, destination, control_id, specimen, message, due_at, created_at)"
            " VALUES (1, 'TEST', 'LIS', 'C1', 'S1', 1, '2026', '2026-11-01T08:00:00.000000Z')"
        )
        day.write(
            "INSERT INTO outbox_result (site, outbox, result, destination) SELECT 'TEST', 1, id, 'LIS' FROM result"
        )
    day.write("UPDATE outbox SET state = 'waiting', claimed_until = NULL")
    [row] = await day.line.store.run(day.outbox(MllpSender("127.0.0.1", 9, patience=1))._claim())
    return Message.parse(await day.line.store.run(day.report.compose(row)))


def field(message: Message, segment: str, number: int) -> str:
    found = message.first(segment)
    assert found is not None
    return found.field(number)


async def test_an_ordinary_number_with_everything_that_a_report_needs(day: Morning) -> None:
    message = await composed(day, timed("22", flags=frozenset({Flag.HIGH, Flag.REVIEW}), comments=("À contrôler",)))
    assert (field(message, "OBX", 2), field(message, "OBX", 5), field(message, "OBX", 6)) == (
        "NM",
        "22",
        "U/L^U/L^UCUM",
    )
    assert field(message, "OBX", 3).startswith(f"{ALT}^ALT^LN^ALTT")
    assert field(message, "OBX", 8) == "H"  # REVIEW is the laboratory's business
    assert field(message, "PID", 3).startswith("P-S1^^^TEST")
    assert field(message, "PID", 5).startswith("TESTPERSON^")
    assert field(message, "OBR", 2) == "O-S1^LIS"
    assert field(message, "SPM", 2).startswith("S1&TEST")
    assert field(message, "SPM", 4).startswith("SER")
    assert field(message, "MSH", 10) == day.ask("SELECT control_id FROM outbox")[0][0]
    notes = [segment.text(3) for segment in message.all("NTE")]
    assert "À contrôler" in notes
    assert message.header.field(18) == "UNICODE UTF-8"


async def test_a_result_that_nobody_looked_at_says_so_with_the_pack_and_who_answers_for_it(day: Morning) -> None:
    message = await composed(day, timed())
    report = read_oru(message)
    auto = report.orders[0].observations[0].auto
    assert auto is not None
    assert (auto.text, auto.pack, auto.version, auto.responsible.family) == (SENTENCE, "chemistry", "2026.3", "Dr Test")


async def test_a_result_that_a_person_released_names_the_person_and_no_rule(day: Morning) -> None:
    message = await composed(day, timed(), change="UPDATE verdict SET decided_by = 'DUPOND'")
    observation = read_oru(message).orders[0].observations[0]
    assert observation.auto is None
    assert observation.responsible is not None
    assert observation.responsible.id == "DUPOND"
    assert SENTENCE not in message.raw.decode()


@pytest.mark.parametrize(
    ("read", "kind", "value", "unit"),
    [
        (result("<5", number="5", comparator="<", quantity=Quantity(Decimal(5), "<", "U/L")), "SN", "<^5", "U/L^U/L^UCUM"),
        (result("7.40", quantity=Quantity(Decimal("7.40"), "", "[pH]"), ucum="[pH]", unit_raw=""), "NM", "7.40", "[pH]^[pH]^UCUM"),
        (result("1.0", quantity=Quantity(Decimal("1.0"), "", ""), ucum="", unit_raw=""), "NM", "1.0", "1^1^UCUM"),
        (result("0.00000001"), "NM", "0.00000001", "U/L^U/L^UCUM"),
        (result("NÉGATIF", number=None, quantity=None, ucum="", unit_raw=""), "ST", "NÉGATIF", ""),
        (result("a|b^c&d~e\\f", number=None, quantity=None, ucum="", unit_raw=""), "ST", "a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f", ""),
        (result("très long " * 30, number=None, quantity=None, ucum="", unit_raw=""), "TX", ("très long " * 30), ""),
    ],
)  # fmt: skip
async def test_each_kind_of_value_travels_unchanged(read: Any, kind: str, value: str, unit: str, day: Morning) -> None:
    message = await composed(day, read)
    assert (field(message, "OBX", 2), field(message, "OBX", 5).strip()) == (kind, value.strip())
    assert field(message, "OBX", 6) == unit


async def test_long_comments_in_french_of_several_lines_arrive_whole(day: Morning) -> None:
    long = "Hémolyse visible ; prélèvement à refaire, s'il vous plaît. " * 40
    message = await composed(day, timed(comments=(long, "première ligne\nseconde | ligne", "  ")))
    notes = [segment.text(3) for segment in message.all("NTE")]
    assert long in notes
    assert "première ligne\nseconde | ligne" in notes
    assert all(note.strip() for note in notes)


async def test_times_have_the_zone_of_the_laboratory(day: Morning) -> None:
    message = await composed(day, timed())
    assert field(message, "OBX", 19) == "20261101090000+0100"
    assert field(message, "MSH", 7) == "20261101090000+0100"


async def test_a_correction_is_told_as_one(day: Morning) -> None:
    message = await composed(day, timed(status="C"))
    assert field(message, "OBX", 11) == "C"
    assert field(message, "OBR", 25) == "C"


async def test_the_newest_order_of_a_test_gives_its_number(day: Morning) -> None:
    day.write("INSERT INTO \"order\" (site, specimen, loinc, placer) VALUES ('TEST', 'S1', ?, 'NEW')", ALT)
    message = await composed(day, timed())
    assert field(message, "OBR", 2) == "NEW^LIS"


async def test_a_patient_without_name_birth_or_sex_is_sent_with_what_there_is(day: Morning) -> None:
    message = await composed(day, timed(), change="UPDATE patient SET family = '', birth = '', sex = ''")
    assert field(message, "PID", 3).startswith("P-S1")
    assert field(message, "PID", 7) == ""
    assert field(message, "PID", 8) in ("", "U")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("DELETE FROM patient", "not known any more; the LIS must send the patient again"),
        ("DELETE FROM outbox_result", "carries no result"),
        ("UPDATE result SET loinc = ''", "no truthful report can be written"),
        ("UPDATE result SET number = NULL, value = ''", "no truthful report can be written"),
        ("UPDATE result SET comparator = '~'", "no truthful report can be written"),
        ("UPDATE result SET comments = '[\"bell \\u0007\"]'", "no truthful report can be written"),
        ("UPDATE result SET number = 'NaN'", "no truthful report can be written"),
    ],
)
async def test_what_cannot_be_told_truthfully_is_not_told(change: str, why: str, day: Morning) -> None:
    with pytest.raises(DeliveryError, match=why):
        await composed(day, timed(), change=change)


async def test_made_again_it_is_the_same_byte_for_byte(day: Morning) -> None:
    message = await composed(day, timed())
    day.later(3600)
    again = await composed(day)
    assert again.raw == message.raw
