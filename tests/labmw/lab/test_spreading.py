"""A finding reaches the panel, the tube or the visit and no further; it never makes a verdict milder."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from judging import bench
from packs import CA, EDTA, K, calcium, potassium, two

from labmw.clock import stamp
from labmw.lab.spreading import spread, with_reasons
from labmw.lab.surroundings import Surroundings
from labmw.model import Reason, Verdict, VerdictLevel
from labmw.store import Row
from labmw.store.transaction import row_type

LEVELS = st.sampled_from(list(VerdictLevel))
SCOPES = st.sampled_from(["result", "panel", "sample", "visit"])


def row(number: int, **different: Any) -> Row:
    columns: dict[str, Any] = {
        "id": number, "message": 1, "specimen": "S1", "patient": "P1", "loinc": "a", "code": "A", "test_name": "A", "state": "verify",
        "reasons": None, "decided_by": None, "received_at": "t",
    }  # fmt: skip
    columns |= different
    return row_type(tuple(columns))(tuple(columns.values()))


def known(*rows: Row, visits: dict[tuple[str, str], frozenset[str]] | None = None) -> Surroundings:
    return Surroundings(1, rows, visits or {}, {}, {}, {}, "")


@st.composite
def reasons(draw: st.DrawFn) -> tuple[Reason, ...]:
    found = draw(st.lists(st.tuples(LEVELS, SCOPES), max_size=3))
    return tuple(Reason("flag", level, f"p/R{n}", (), scope, ("a",)) for n, (level, scope) in enumerate(found))


@st.composite
def tubes(draw: st.DrawFn) -> list[tuple[Row, Verdict]]:
    found = []
    for number in range(draw(st.integers(1, 6))):
        given_ = draw(reasons())
        level = max((one.level for one in given_), default=VerdictLevel.RELEASE)
        one = row(
            number, specimen=draw(st.sampled_from(["S1", "S2"])), patient=draw(st.sampled_from(["P1", "P2"])),
            loinc=draw(st.sampled_from(["a", "b"])),
        )  # fmt: skip
        found.append((one, Verdict(level, given_, ())))
    return found


@given(tubes())
def test_nothing_becomes_milder_and_nobody_elses_tube_is_reached(judged: list[tuple[Row, Verdict]]) -> None:
    after, left = spread(judged, known(*(one for one, _ in judged)))
    assert left == [] and [one for one, _ in after] == [one for one, _ in judged]
    for (one, before), (_, now) in zip(judged, after, strict=True):
        assert now.level >= before.level and now.level == max((r.level for r in now.reasons), default=before.level)
        holding = [
            reason
            for other, verdict in judged
            for reason in verdict.reasons
            if other is not one
            and reason.level >= VerdictLevel.REVIEW
            and (reason.scope in ("sample", "visit") or (reason.scope == "panel" and one.loinc in reason.panel))
            and (other.specimen, other.patient) == (one.specimen, one.patient)
        ]
        expected = max((r.level for r in holding), default=VerdictLevel.RELEASE)
        assert now.level == max(before.level, expected)


@given(tubes())
def test_the_order_does_not_matter(judged: list[tuple[Row, Verdict]]) -> None:
    everything = known(*(one for one, _ in judged))
    forth, _ = spread(judged, everything)
    back, _ = spread(judged[::-1], everything)
    assert {one.id: verdict.level for one, verdict in forth} == {one.id: verdict.level for one, verdict in back}


def test_a_finding_in_the_store_reaches_what_comes_and_lists_what_left() -> None:
    told = json.dumps([{"code": "flag", "level": "hold", "rule": "p/EDTA", "facts": {}, "scope": "sample"}])
    stored = row(1, state="held", reasons=told, decided_by="rules", message=7)
    gone = row(2, state="delivered", loinc="b", message=8)
    new, verdict = row(3, loinc="c"), Verdict(VerdictLevel.RELEASE, (), ())
    after, left = spread([(new, verdict)], known(stored, gone, new))
    assert after[0][1].level is VerdictLevel.HOLD and left == []
    finding = Verdict(VerdictLevel.HOLD, (Reason("flag", VerdictLevel.HOLD, "p/EDTA", (), "sample"),), ())
    _, left = spread([(new, finding)], known(gone, new))
    assert [(one.id, reason.code) for one, reason in left] == [(2, "reached-sample")]


def test_a_finding_that_a_person_has_let_go_reaches_nothing() -> None:
    told = json.dumps([{"code": "flag", "level": "hold", "rule": "p/EDTA", "facts": {}, "scope": "sample"}])
    stored = row(1, state="held", reasons=told, decided_by="Dr Alouette", message=7)
    new, verdict = row(3, loinc="c"), Verdict(VerdictLevel.RELEASE, (), ())
    after, _ = spread([(new, verdict)], known(stored, new))
    assert after[0][1].level is VerdictLevel.RELEASE


def test_one_reason_more_is_said_once() -> None:
    reason = Reason("flag", VerdictLevel.REVIEW, "p/R")
    once = with_reasons(Verdict(VerdictLevel.RELEASE, (), ()), [reason, reason])
    assert once.reasons == (reason,) and with_reasons(once, [reason]) is once


async def test_a_visit_is_the_tubes_collected_together(tmp_path: Path) -> None:
    packs = two(tmp_path / "two", EDTA.replace('scope = "sample"', 'scope = "visit"'))
    async with bench(tmp_path, ("S1", "S2", "S3"), packs=packs, loincs=(K, CA)) as one:
        one.write("UPDATE specimen SET patient = 'P-S1'")
        for tube, hours in (("S1", 0), ("S2", 3), ("S3", 20)):
            at = stamp(datetime(2026, 10, 31, 1, tzinfo=UTC) + timedelta(hours=hours))
            one.write("UPDATE specimen SET collected = ? WHERE identifier = ?", at, tube)
        await one.judged(potassium("6.5"), calcium("1.1"))
        await one.judged(calcium("2.3", minutes=5, specimen="S2"))
        await one.judged(calcium("2.3", minutes=5, specimen="S3"))
        states = {(tube, value): state for tube, value, state in one.states()}
    assert states["S2", "2.3"] == "held" and states["S3", "2.3"] == "released"
